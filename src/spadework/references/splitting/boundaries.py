"""Where a text may be cut, and which of several places is the best one.

A part should be full, and it should end at a border. Both are weighed on one scale: how full the
part is (0 to 1) less what the border costs. So a part is left half empty rather than cut within a
paragraph, but not nearly empty.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind = Literal["prose", "code", "lines"]

BLANK_LINE = {"prose": 0.15, "code": 0.4, "lines": 0.4}
LINE = {"prose": 0.3, "code": 0.55, "lines": 0.55}
SENTENCE = 0.5  # prose, where semchunk finds one
BLANK = 0.8
CHARACTER = 1.0
LOOKED_AT = 32_000  # characters before the end in which semchunk looks
PIECES = 8  # that these are split into
MOST_BORDERS = 100_000  # of one text; behind them it is cut by lines


@dataclass(frozen=True, slots=True)
class Border:
    """A place where a heading or a definition begins.

    `at` is its offset; `until` where what it begins ends; `body` where the first line stands that
    may not be torn off from it by a cut before it. `name` is empty where it has none.
    """

    at: int
    cost: float
    until: int
    body: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """The borders of a text in their order, and what joins the names of those within each other."""

    kind: Kind
    borders: Sequence[Border] = ()
    joint: str = "."


def best_cut(text: str, start: int, end: int, outline: Outline) -> int:
    """Choose where a part ends.

    Args:
        text: the whole text.
        start: where the part begins.
        end: the last place where it may end, behind `start`.
        outline: the borders of the text.
    """
    if end >= len(text):
        return len(text)
    length = end - start
    cuts = _cuts(text, start, end, outline)
    at, _ = max(cuts, key=lambda cut: ((cut[0] - start) / length - cut[1], cut[0]))
    return at


def _cuts(text: str, start: int, end: int, outline: Outline) -> Iterator[tuple[int, float]]:
    """Places behind the start where it can be cut, with their costs; of alike ones the last."""
    yield end, CHARACTER
    borders = outline.borders
    first = bisect.bisect_right(borders, start, key=lambda border: border.at)
    behind = bisect.bisect_right(borders, end, lo=first, key=lambda border: border.at)
    for index in range(first, behind):
        if not _follows_a_heading(borders, index, start):
            yield borders[index].at, borders[index].cost
    before = borders[max(0, behind - 1) : behind]
    plain = [
        (text.rfind("\n\n", start, end) + 2, BLANK_LINE[outline.kind]),
        (text.rfind("\n", start, end) + 1, LINE[outline.kind]),
        (text.rfind(" ", start, end) + 1, BLANK),
    ]
    if outline.kind == "prose":
        plain.append((_sentence_before(text, start, end), SENTENCE))
    for at, cost in plain:
        torn = [border.at for border in before if border.at < at <= border.body]
        place = torn[0] if torn else at
        if start < place <= end:
            yield place, cost


def _follows_a_heading(borders: Sequence[Border], index: int, start: int) -> bool:
    """Whether a cut there would leave a heading alone at the end of the part."""
    above = borders[index - 1] if index else None
    return above is not None and start < above.at < borders[index].at <= above.body


def _sentence_before(text: str, start: int, end: int) -> int:
    """The last place before the end where semchunk would begin a new chunk; 0 if there is none."""
    from semchunk.semchunk import chunk  # noqa: PLC0415 - only prose needs it

    begin = max(start, end - LOOKED_AT)
    window = text[begin:end]
    size = max(1, len(window) // PIECES)
    _, spans = chunk(window, size, len, memoize=False, offsets=True)
    last = spans[-1] if spans else None
    return begin + last[0] if isinstance(last, tuple) else 0
