"""Bytes to text, in whatever encoding they are."""

from __future__ import annotations

import codecs

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
    """Whether a file that begins so is no text: a NUL, and no byte order mark to explain it."""
    return b"\0" in head[:PROBE] and marked_encoding(head) is None


def decode(data: bytes) -> tuple[str, str] | None:
    """Decode a whole file.

    Returns:
        The text, its line ends as they are, and the encoding's name; None if it is no text.
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
    """Tell the encoding of bytes that are not UTF-8; None if they are no text."""
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
