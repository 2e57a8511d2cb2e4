"""The headings of Markdown and of texts alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from spadework.references.splitting.boundaries import MOST_BORDERS, Border, Outline

if TYPE_CHECKING:
    from collections.abc import Iterator

# A fence, a heading behind number signs, a heading that is underlined (as in reStructuredText too).
LINES = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*"
    r"|^ {0,3}(?P<level>#{1,6})[ \t]+(?P<name>[^\n]*?)[ \t#]*$"
    r"|^(?P<above>[^\s\n][^\n]{0,200})\n(?P<line>=|-|~)(?P=line){2,}[ \t]*$",
    re.MULTILINE,
)
UNDERLINES = "=-~"
STEP = 0.03  # what a level costs more than the one above
BLANKS = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class _Heading:
    at: int
    end: int
    level: int
    name: str


def prose_outline(text: str) -> Outline:
    """Find the headings; each holds to the next one of its level or above."""
    found: list[Border] = []
    open_ones: list[tuple[int, int]] = []  # level, index in found
    for heading in islice(_headings(text), MOST_BORDERS):
        while open_ones and open_ones[-1][0] >= heading.level:
            _, index = open_ones.pop()
            found[index] = replace(found[index], until=heading.at)
        blanks = BLANKS.match(text, heading.end)
        body = blanks.end() if blanks else heading.end
        open_ones.append((heading.level, len(found)))
        cost = STEP * (heading.level - 1)
        found.append(Border(heading.at, cost, len(text), body, heading.name))
    return Outline("prose", tuple(found), " > ")


def _headings(text: str) -> Iterator[_Heading]:
    fence = ""
    for match in LINES.finditer(text):
        if mark := match["fence"]:
            if not fence:
                fence = mark
            elif mark.startswith(fence):
                fence = ""
        elif fence:
            continue
        elif match["level"]:
            yield _Heading(match.start(), match.end(), len(match["level"]), match["name"])
        else:
            level = UNDERLINES.index(match["line"]) + 1
            yield _Heading(match.start(), match.end(), level, match["above"].strip())
