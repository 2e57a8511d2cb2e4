"""Which files git ignores: .gitignore at every level, and .git/info/exclude.

As `git ls-files --others --exclude-standard` sees it, but for two things: the user's global ignore
file is not read, and outside of a git repository the .gitignore files below the root hold as well.

`pathspec` is not used: it judges the whole path of a file, while a walk that prunes must judge
each folder for itself, and there it contradicts git (`*` then `!*/`; `logs/**` then
`!logs/.gitkeep`). It also fails on a list that git accepts (`[z-a]`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from spadework.references.roots import open_regular
from spadework.references.wildcards import ANY_FOLDERS, NEVER, wildcard_regex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TO_LAST_NAME = rf"(?>{ANY_FOLDERS}(?=[^/]+/?\Z))"


@dataclass(frozen=True, slots=True)
class PatternList:
    """The lines of a .gitignore, compiled. A folder's path ends in a slash, a file's does not."""

    lines: tuple[str, ...]
    regex: re.Pattern[str]

    def line_for(self, path: str) -> str | None:
        """Give the last line that names this very path (its `!` included), None if none does."""
        match = self.regex.fullmatch(path)
        return self.lines[match.lastindex - 1] if match and match.lastindex else None

    def names(self, path: str) -> bool:
        """Whether the list names this very path."""
        return _includes(self.line_for(path))

    def covers(self, path: str) -> bool:
        """Whether the list names this path or a folder above it."""
        slashes = [at + 1 for at, character in enumerate(path) if character == "/"]
        return any(self.names(path[:end]) for end in [*slashes, len(path)])


def pattern_list(text: str, flags: re.RegexFlag = re.NOFLAG) -> PatternList:
    """Compile the text of a .gitignore."""
    lines = [line for line in map(_trimmed, text.split("\n")) if line and not line.startswith("#")]
    lines.reverse()  # the last line that matches decides, so it is tried first
    regex = "|".join(_alternatives(lines)) or NEVER
    return PatternList(tuple(lines), re.compile(regex, flags | re.DOTALL))


def _alternatives(lines: list[str]) -> Iterator[str]:
    """One group a line; a line without a slash speaks of a path's last name, in any folder."""
    for is_path, run in groupby(lines, key=lambda line: "/" in _pattern(line)):
        groups = "|".join(f"({_line_regex(line)})" for line in run)
        yield groups if is_path else f"{TO_LAST_NAME}(?:{groups})"


def _pattern(line: str) -> str:
    return line.removeprefix("!").removesuffix("/")


def _line_regex(line: str) -> str:
    end = "/" if line.endswith("/") else "/?"
    return wildcard_regex(_pattern(line).removeprefix("/")) + end


def _includes(line: str | None) -> bool:
    return line is not None and not line.startswith("!")


def _trimmed(line: str) -> str:
    """Cut a carriage return and unescaped blanks off a line's end."""
    kept = re.match(r"(?:\\.|[^ ]| +(?=[^ ]))*", line.removesuffix("\r"), re.DOTALL)
    return kept[0] if kept else ""


IGNORE_FILE = ".gitignore"
LONGEST_IGNORE_FILE = 1_000_000  # bytes; real ones have some thousand


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The patterns of one ignore file. `folder` is where they start, with a slash at its end."""

    folder: str
    patterns: PatternList


def ignore_files_above(folder: Path, root: Path) -> tuple[IgnoreFile, ...]:
    """The ignore files that hold in a folder before its own, the weakest first.

    Args:
        folder: a real path.
        root: the root that it lies in; the search starts there outside of a git repository.
    """
    top = _git_top(folder)
    found = [_ignore_file(top, _exclude_file(top))] if top else []
    above = [one for one in folder.parents if one.is_relative_to(top or root)]
    found += [ignore_file_in(one) for one in reversed(above)]
    return tuple(one for one in found if one)


def ignore_file_in(folder: Path) -> IgnoreFile | None:
    """The .gitignore of a folder. As for git, one that is a symlink counts for nothing."""
    return _ignore_file(folder, folder / IGNORE_FILE)


def is_ignored(path: str, files: tuple[IgnoreFile, ...]) -> bool:
    """Whether git ignores a path, provided that it ignores no folder above.

    Args:
        path: absolute and real; a folder's ends in a slash.
        files: the ignore files that hold there, the weakest first.
    """
    for file in reversed(files):
        line = file.patterns.line_for(path.removeprefix(file.folder))
        if line is not None:
            return not line.startswith("!")
    return False


def _git_top(folder: Path) -> Path | None:
    above = (folder, *folder.parents)
    return next((one for one in above if os.path.lexists(one / ".git")), None)


def _exclude_file(top: Path) -> Path:
    """info/exclude of the repository; .git is a file in a worktree and says where the folder is."""
    git = top / ".git"
    if pointer := _read(git).strip():
        git = top / pointer.removeprefix("gitdir: ")
        git /= _read(git / "commondir").strip()
    return git / "info" / "exclude"


def _ignore_file(folder: Path, path: Path) -> IgnoreFile | None:
    text = _read(path)
    return IgnoreFile(f"{folder}/".replace("//", "/"), pattern_list(text)) if text else None


def _read(path: Path) -> str:
    """Read a small file; one that is missing, unreadable or no file is empty, as for git."""
    try:
        with open_regular(path) as stream:
            return stream.read(LONGEST_IGNORE_FILE).decode("utf-8-sig", "surrogateescape")
    except (OSError, ValueError):  # ValueError: a NUL in a path that a .git file names
        return ""
