"""Bytes to text in whatever encoding they are: whole, or the lines asked for, block by block."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from spadework.references.cancellation import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spadework.references.syntax import LineRange

PROBE = 8192  # bytes that are searched for a NUL, as git does
BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
# What is still met on disks; all are supersets of ASCII. The first wins where several fit alike.
LEGACY = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "iso8859_2",
    "iso8859_5",
    "koi8_r",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
    "mac_roman",
    "cp866",
)
CONTROLS = bytes(range(32)).translate(None, b"\t\n\v\f\r\b\x1a\x1b") + b"\x7f"
MOST_CONTROLS = 0.01  # of the bytes of a text in a legacy encoding


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark names."""
    return next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def is_binary(head: bytes) -> bool:
    """Whether a file that starts so is binary: a NUL without a byte order mark."""
    return b"\0" in head[:PROBE] and marked_encoding(head) is None


def decode(data: bytes) -> tuple[str, str] | None:
    """Decode a whole file.

    Returns:
        The text, its line ends as they are, and the encoding's name; None if it is not text.
    """
    if is_binary(data):
        return None
    encoding = marked_encoding(data) or "utf-8"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        legacy = legacy_encoding(data)
    return (data.decode(legacy), legacy) if legacy else None


def legacy_encoding(data: bytes) -> str | None:
    """Detect the encoding of bytes that are not UTF-8; None if they are not text."""
    if marked_encoding(data) or _has_many_controls(data):
        return None
    return next((name for name in (*_guesses(data), *LEGACY) if _fits(data, name)), None)


def legacy_encoding_of_block(block: bytes) -> str | None:
    """The same for bytes out of the middle of a file, where a character may be cut at each end."""
    if _has_many_controls(block):
        return None
    return legacy_encoding(b"\n".join(block.split(b"\n")[1:-1]) or block)


def _has_many_controls(data: bytes) -> bool:
    return len(data) - len(data.translate(None, CONTROLS)) > MOST_CONTROLS * len(data)


def _guesses(data: bytes) -> list[str]:
    """The likeliest encodings; charset-normalizer alone prefers rare ones among equals."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - most files are UTF-8

    matches = from_bytes(data, cp_isolation=list(LEGACY))
    best = matches.best()
    if best is None:
        return []
    likely = {
        name
        for match in matches
        if match.chaos == best.chaos and round(match.coherence, 1) == round(best.coherence, 1)
        for name in match.could_be_from_charset
    }
    return [name for name in LEGACY if name in likely]


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


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
