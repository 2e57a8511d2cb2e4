"""The grammar of a reference: a path, a folder, a glob, or `path:START-END`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_LONGEST_SHOWN = 40  # characters of a range in a message
LONGEST_REFERENCE = 4096  # Linux's PATH_MAX
WILDCARD = re.compile(r"[*?\[]")
RANGED = re.compile(r"(?P<path>.+):(?P<lines>[^:/]*)", re.DOTALL)
LINES = re.compile(r"(?P<first>[0-9]{1,18})(?P<to>-(?P<last>[0-9]{1,18})?)?")
# Controls, hidden characters (bidi, tags), undecodable bytes, line separators; not the joiners.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class LineRange:
    """Lines of a file, counted from 1, both ends included; `last` is None for the file's end."""

    first: int
    last: int | None


def split_lines(reference: str) -> tuple[str, str | None]:
    """Split `path:LINES` at the last colon; the second part is None where there is none."""
    match = RANGED.fullmatch(reference)
    return (match["path"], match["lines"]) if match else (reference, None)


def parse_lines(lines: str) -> LineRange:
    """Read `START-END`, `LINE` or `START-`.

    Raises:
        ValueError: it is none of these, or can hold no line; the message says why.
    """
    match = LINES.fullmatch(lines)
    if match is None:
        shown = lines if len(lines) <= _LONGEST_SHOWN else f"{lines[:_LONGEST_SHOWN]}…"
        raise ValueError(f"{shown!r} is no range of lines")
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else None if match["to"] else first
    if first < 1:
        raise ValueError("lines count from 1")
    if last is not None and last < first:
        raise ValueError(f"the range ends at line {last}, before its start at line {first}")
    return LineRange(first, last)


def split_glob(reference: str) -> tuple[str, str]:
    """Split a glob into the folder that it starts in and the pattern below that folder.

    A slash at the end stands for all files below: `src/*/` is `src/*/**`.

    Raises:
        ValueError: `..` stands behind a wildcard.
    """
    segments = reference.split("/")
    at = next(i for i, segment in enumerate(segments) if WILDCARD.search(segment))
    folder = "/".join(segments[:at]) or ("/" if reference.startswith("/") else ".")
    pattern = [segment for segment in segments[at:] if segment not in {"", "."}]
    if ".." in pattern:
        raise ValueError("'..' may not stand behind a wildcard")
    if not segments[-1]:
        pattern.append("**")
    return folder, "/".join(pattern)


def has_wildcards(reference: str) -> bool:
    """Whether it can be read as a glob."""
    return WILDCARD.search(reference) is not None


def unprintable(name: str) -> str | None:
    """The first character of a name that cannot be shown, spelt out; None if there is none."""
    return None if name.isprintable() else next(filter(None, map(_spelt, name)), None)


def printable(name: str) -> str:
    """A name with what cannot be shown spelt out, a newline as a backslash and an n."""
    return name if name.isprintable() else "".join(_spelt(c) or c for c in name)


def _spelt(character: str) -> str | None:
    """A character that cannot be shown, as an escape; None for any other."""
    if unicodedata.category(character) not in UNPRINTABLE or character in JOINERS:
        return None
    return character.encode("unicode_escape").decode("ascii")
