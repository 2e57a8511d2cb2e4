"""Pattern lists in the format of .gitignore.

`pathspec` is not used: it judges the whole path of a file, while a walk that prunes must judge
each folder for itself, and there it contradicts git (`*` then `!*/`; `logs/**` then
`!logs/.gitkeep`). It also fails on a list that git accepts (`[z-a]`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from spadework.references.wildcards import ANY_FOLDERS, NEVER, wildcard_regex

if TYPE_CHECKING:
    from collections.abc import Iterator

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
