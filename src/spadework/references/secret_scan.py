"""Looks for secrets in a text that is about to leave the machine; never shows one.

The work is linear in the text's length and is done in short steps, so that a thread that does it
lets others run. Nothing is verified over the network, and what a text says of itself (`pragma:
allowlist secret`) is not believed: a foreign file may say it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.errors import SecretRefused
from spadework.references.credential_files import KEY_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.references.secret_detectors import Detector

_BLANKS = re.compile(r" {4,}")
_ESCAPED = re.compile(r"\\[nrt]|%(?:0[AaDd9]|20|3[DdAa]|26)|[\u200b-\u200d\u2060\ufeff]")
"""Line ends and blanks as JSON and URLs spell them: the letter would join the token behind it."""

MOST_FOUND = 20
"""A text with this many secrets is refused whether it holds more or not."""

_CHUNK = 1 << 16  # characters; a chunk ends with a line
_PIECE = 4096  # characters of a longer line that are looked at together
_OVERLAP = 512  # longer than the shortest form of every format
_BEFORE_KEY, _AFTER_KEY = 40, 160  # characters around the words PRIVATE KEY
# Key material follows the marker, whatever a diff, a quotation or line numbers put before it.
_PRIVATE_KEY = re.compile(
    rf"{KEY_MARK}(?:\\[nr]|[\s\"'`,+>#|*:;.()-]|\d{{1,7}}(?=[\s|:]))*"
    r"(?:[A-Za-z0-9+/=]{20}|(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): )"
)


@dataclass(frozen=True, slots=True)
class SecretFound:
    """Where a secret is and of which kind; never the secret itself.

    `label` is the path or name of the text, `line` is counted from 1 in the original file.
    """

    label: str
    line: int
    kind: str


def find_secrets(label: str, text: str, first_line: int = 1) -> tuple[SecretFound, ...]:
    """Return the secrets in a text, in the order of their lines, at most `MOST_FOUND`.

    It takes CPU time: run it in a thread.

    Args:
        label: the path or the name by which the user knows the text.
        text: the text; its lines end with a line feed.
        first_line: the number of its first line in the original file.
    """
    found = dict.fromkeys(_private_keys(text))
    for line, kind in _tokens(text):
        found[line, kind] = None
        if len(found) >= MOST_FOUND:
            break
    return tuple(SecretFound(label, first_line + line, kind) for line, kind in sorted(found))[
        :MOST_FOUND
    ]


def refuse_secrets(label: str, text: str, first_line: int = 1) -> None:
    """Refuse a text that holds a secret; the arguments are those of `find_secrets`.

    Raises:
        SecretRefused: it does; the message names file, line and kind of the first.
    """
    if found := find_secrets(label, text, first_line):
        raise SecretRefused(found[0].label, found[0].line, found[0].kind, more=len(found) - 1)


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line, counted from 0, and the kind of each secret that fits in a line."""
    from spadework.references.secret_detectors import detectors_for  # noqa: PLC0415 - 0.2 s, only when needed

    first = 0
    for chunk in _chunks(text):
        for detector in detectors_for(chunk):
            yield from ((first + number, detector.kind) for number in _lines(detector, chunk))
        first += chunk.count("\n")


def _lines(detector: Detector, chunk: str) -> Iterator[int]:
    """Yield the numbers of the lines in which the detector finds something."""
    for number, line in enumerate(chunk.split("\n")):
        if any(detector.finds(piece) for piece in _pieces(line)):
            yield number


def _chunks(text: str) -> Iterator[str]:
    """Cut a text after line feeds.

    Runs of blanks become short ones: around an assignment they cost detect-secrets cubic time.
    """
    start = 0
    while start < len(text):
        end = text.find("\n", start + _CHUNK) + 1 or len(text)
        yield _BLANKS.sub("   ", _ESCAPED.sub(" ", text[start:end]))
        start = end


def _pieces(line: str) -> Iterator[str]:
    """Cut a long line into overlapping pieces: a minified file must not take quadratic time."""
    if len(line) <= _PIECE:
        yield line
        return
    for start in range(0, len(line) - _OVERLAP, _PIECE - _OVERLAP):
        yield line[start : start + _PIECE]


def _private_keys(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines, counted from 0, of the first private keys."""
    number = counted = found = 0
    at = text.find("PRIVATE KEY")
    while at >= 0 and found < MOST_FOUND:
        if _PRIVATE_KEY.search(text, max(0, at - _BEFORE_KEY), at + _AFTER_KEY):
            number += text.count("\n", counted, at)
            counted = at
            found += 1
            yield number, "private key"
        at = text.find("PRIVATE KEY", at + 1)
