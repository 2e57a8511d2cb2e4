"""Names as git quotes them: like strings of C, bytes beyond ASCII in octal."""

from __future__ import annotations

import re

QUOTED = rb'"(?:[^"\\\n]|\\.)*"'

_ESCAPE = re.compile(rb"\\(?:(?P<octal>[0-3][0-7]{2})|(?P<letter>.))", re.DOTALL)
_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
    b'"': b'"',
}


def unquote(name: bytes) -> bytes:
    """Give the name that is meant; one that is not quoted as git does it is itself."""
    if not re.fullmatch(QUOTED, name):
        return name
    return _ESCAPE.sub(_meant, name[1:-1])


def leading_quoted(text: bytes) -> tuple[bytes, int] | None:
    """Read a quoted name at a text's start.

    Returns:
        The name and where its quotation ends, None if there is none in git's own form.
    """
    match = re.match(rb'"(?:[^"\\]|\\(?:[0-3][0-7]{2}|[abfnrtv\\"]))*"', text)
    if match is None:
        return None
    return _ESCAPE.sub(_meant, match[0][1:-1]), match.end()


def _meant(escape: re.Match[bytes]) -> bytes:
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    return _LETTERS.get(escape["letter"], escape["letter"])
