"""Borders in what has no grammar that is known: by blank lines, indentation and git's own marks."""

from __future__ import annotations

import re
from itertools import islice

from spadework.references.splitting.boundaries import MOST_BORDERS, Border, Outline

# A line that is not indented, behind a blank one: in most languages a new thing begins there.
UNINDENTED = re.compile(r"\n[ \t]*\n(?=[^\s})\]])")
PATCHES = re.compile(
    r"^(?:diff --git a/(?P<name>\S+)|commit (?P<commit>[0-9a-f]{7,40}))", re.MULTILINE
)
COST = 0.1


def line_outline(text: str) -> Outline:
    """Find the lines that stand at the margin behind a blank one."""
    places = [match.end() for match in islice(UNINDENTED.finditer(text), MOST_BORDERS)]
    return Outline("lines", tuple(Border(at, COST, at, at) for at in places))


def patch_outline(text: str) -> Outline:
    """Find the files and the commits of what git shows."""
    found = list(islice(PATCHES.finditer(text), MOST_BORDERS))
    ends = [*(match.start() for match in found[1:]), len(text)][: len(found)]
    borders = tuple(
        Border(match.start(), 0.0, end, match.start(), match["name"] or match["commit"])
        for match, end in zip(found, ends, strict=True)
    )
    return Outline("lines", borders)
