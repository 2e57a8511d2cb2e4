"""Removes what no reader sees from text of models, servers, files and projects.

Terminal escapes, control characters, bidirectional controls, zero-width and tag characters can
hide text from a person that a model still reads (Unicode TR36, TR55, "Trojan Source"). The rule is
Unicode's own: what is Default_Ignorable (DerivedCoreProperties.txt), a control, a format character,
a lone surrogate or a noncharacter shows nothing, and goes, unless its neighbours need it: joiners
in scripts that join, emoji sequences, variants of ideographs, the flags of England, Scotland and
Wales. Private use characters stay: they show as a box or as an icon.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework.util import unicode_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# OSC, DCS, SOS, PM and APC run to a terminator: titles, links, pictures. Bytes of Windows-1252 that
# were read as Latin-1 look like their one-byte forms, so those count only with the terminator.
_ESCAPES = re.compile(
    "\x1b[\\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|[\x90\x98\x9d-\x9f][^\x07\x1b\x90\x98\x9c-\x9f\n]*+(?:\x07|\x1b\\\\|\x9c)"
    "|[\x1b\x9b]\\[?[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
)
ESCAPE_STARTS = "\x1b\x90\x98\x9b\x9d\x9e\x9f"
"""The characters that begin an escape sequence."""

_ESCAPE = re.compile(f"[{ESCAPE_STARTS}]")
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_TAGS = "\U000e0020-\U000e007f"
# Format characters that show (Prepended_Concatenation_Mark) and hieroglyphs' layout are not here.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, but tab and line feed
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"
    "\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
)
HIDDEN = re.compile(f"[{_HIDDEN}\u2028\u2029]")
"""A character that shows nothing by itself."""

# The most usual that no rule keeps come in runs.
_SUSPECTS = re.compile(
    f"[{_TAGS}]+|\u2800+|[\u200b\u2060-\u206f\ufeff]+|[{_HIDDEN}\U00013430-\U00013440]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SUSPECT_SINGLE = re.compile(f"[{_HIDDEN}\u2800\U00013430-\U00013440\r\u2028\u2029]")


def clean(text: str) -> tuple[str, int]:
    """Remove what no reader sees; line ends become line feeds, a stray braille blank a blank.

    Returns:
        The text, and how many characters were removed or replaced (line ends do not count).
    """
    if text.isascii() and not _CONTROL.search(text):
        return text, 0
    text = _LINE_ENDS.sub("\n", text)
    removed = len(text)
    if _ESCAPE.search(text):
        text = _ESCAPES.sub("", text)
    removed -= len(text)
    kept: list[str] = []
    before = ""
    place = 0
    for suspect in _SUSPECTS.finditer(text):
        start, end = suspect.span()
        if start > place:
            kept.append(text[place:start])
            before = text[start - 1]
        place = end
        run = suspect[0]
        if _belongs(run, before, text[end : end + 1]):
            kept.append(run)
            before = run[-1]
            continue
        removed += len(run)
        if run[0] == "\u2800":
            kept.append(" " * len(run))
            before = " "
    kept.append(text[place:])
    return "".join(kept), removed


def is_settled(sign: str) -> bool:
    """Tell whether no neighbour changes what becomes of a character, nor it what becomes of them.

    Not: the kept braille blank, the joiner and the selector, which are judged by more than one.
    """
    return not _SUSPECT_SINGLE.match(sign)


def _belongs(run: str, before: str, after: str) -> bool:
    """Tell whether what shows nothing by itself is part of what stands around it."""
    rule = _RULES.get(run[0])
    return rule is not None and rule(run, before, after)


def _every(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


_RULES: Mapping[str, Callable[[str, str, str], bool]] = {
    sign: rule
    for signs, rule in (
        ("\u200c\u200d", unicode_context.belongs_as_joiner),
        (_every(0xFE00, 0xFE0F) + _every(0xE0100, 0xE01EF), unicode_context.belongs_as_selector),
        ("\u2800", unicode_context.belongs_as_braille),
        (_every(0xE0020, 0xE007F), unicode_context.belongs_as_flag),
        ("\u034f\U00016fe4" + _every(0x180B, 0x180F), unicode_context.belongs_in_its_script),
        (_every(0x13430, 0x13440), unicode_context.belongs_in_its_script),
    )
    for sign in signs
}
