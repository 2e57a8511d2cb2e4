"""Lines out of a text that comes in blocks, so that a large file need not be held in memory."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from spadework.references.cancellation import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spadework.references.syntax import LineRange

BLOCK = 1 << 18  # bytes; a block is taken apart in a millisecond, in which no other thread runs


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a text, `text` with their ends. Of an empty text they are the lines 1 to 0.

    `total_lines` is None where the text goes on behind them: it was not read to its end.
    """

    text: str
    first_line: int
    last_line: int
    total_lines: int | None


class ExcerptTooLarge(ValueError):
    """The lines asked for are over the limit."""


def text_blocks(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Decode a file block by block, line ends normalised to LF.

    Raises:
        UnicodeDecodeError: it is not in that encoding.
    """
    decode = codecs.getincrementaldecoder(encoding)()
    decoder = io.IncrementalNewlineDecoder(decode, translate=True)
    while data := stream.read(BLOCK):
        checkpoint()
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def cut_lines(blocks: Iterable[str], lines: LineRange, limit: float) -> Excerpt:
    """Keep the lines asked for, as far as the text goes; what lies behind them is not read.

    Args:
        blocks: the text, in pieces of any size.
        lines: which lines.
        limit: the most that is kept, in bytes of UTF-8.

    Raises:
        ExcerptTooLarge: they are over the limit.
    """
    kept: list[str] = []
    size = 0
    number = 1  # of the line in which the next block begins
    within_line = False
    for block in blocks:
        if block and lines.last is not None and number > lines.last:
            return Excerpt("".join(kept), lines.first, lines.last, None)
        breaks = block.count("\n")
        if number + breaks >= lines.first:  # else there is nothing to split
            part = _part_of(block, number, lines)
            size += len(part.encode())
            if size > limit:
                raise ExcerptTooLarge
            kept.append(part)
        number += breaks
        within_line = not block.endswith("\n") if block else within_line
        if lines.last is not None and number > lines.last + (not within_line):
            return Excerpt("".join(kept), lines.first, lines.last, None)
    total = number if within_line else number - 1
    last = total if lines.last is None else min(lines.last, total)
    return Excerpt("".join(kept), lines.first, last, total)


def _part_of(block: str, number: int, lines: LineRange) -> str:
    """What of a block lies in the range; the block begins in the line of that number."""
    after = None if lines.last is None else lines.last + 1 - number
    if after is not None and after <= 0:
        return ""
    pieces = block.split("\n")
    cut = after is not None and after < len(pieces)
    return "\n".join(pieces[max(0, lines.first - number) : after]) + ("\n" if cut else "")
