"""Which files git ignores: .gitignore at every level, and .git/info/exclude.

As `git ls-files --others --exclude-standard` sees it, but for two things: the user's global ignore
file is not read, and outside of a git repository the .gitignore files below the root hold as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.references.ignore_patterns import PatternList, pattern_list
from spadework.references.safe_open import open_regular

if TYPE_CHECKING:
    from pathlib import Path

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
