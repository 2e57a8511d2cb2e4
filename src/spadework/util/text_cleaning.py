"""Removes what no reader sees from text of models, servers, files and projects.

Terminal escapes, control characters, bidirectional controls, zero-width and tag characters can
hide text from a person that a model still reads (Unicode TR36, TR55, "Trojan Source"). The rule is
Unicode's own: what is Default_Ignorable (DerivedCoreProperties.txt), a control, a format character,
a lone surrogate or a noncharacter shows nothing, and goes, unless its neighbours need it: joiners
in scripts that join, emoji sequences, variants of ideographs, the flags of England, Scotland and
Wales. Private use characters stay: they show as a box or as an icon.

Sources: emoji-variation-sequences.txt and emoji-sequences.txt (UTS 51), StandardizedVariants.txt,
the Ideographic Variation Database (UTS 37), and for joiners "Zero Width Joiner and Non-joiner" in
chapter 23.2 of the Unicode standard.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VIRAMA = 9  # the combining class of signs that join consonants

# Characters, and ranges of them: first-last.
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf"
    "\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
# Without what shows nothing itself: U+061C, U+17B4, U+17B5, U+180B to U+180F.
_ARABIC = "\u0600-\u061b\u061d-\u06ff\u0750-\u077f\u0870-\u08ff\ufb50-\ufdff\ufe70-\ufefc"
# Arabic, Syriac, Mandaic, N'Ko; the scripts of India and Tibet; Myanmar, Khmer, Mongolian; the
# Brahmic scripts of Indonesia and of the supplementary plane.
_JOINING = (
    f"{_ARABIC}\u0700-\u074f\u07c0-\u07ff\u0840-\u086f\u0900-\u0dff\u0f00-\u0fff\u1000-\u109f"
    "\u1780-\u17b3\u17b6-\u17ff\u1800-\u180a\u1810-\u18aa\u1900-\u19ff\u1a20-\u1aad\u1b00-\u1c4f\ua840-\ua87f\ua880-\ua8df"
    "\ua930-\ua95f\ua980-\uaa7f\uaae0-\uaaff\uabc0-\uabff\U00010a00-\U00010aff\U00011000-\U00011fff"
)
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_WITH_VARIANTS = (  # standardized variants: mathematics, punctuation of East Asia, other scripts
    f"{_IDEOGRAPHS}\u2190-\u22ff\u2a00-\u2aff\u3001\u3002\uff01\uff0c\uff0e\uff1a\uff1b\uff1f"
    "\u1000-\u109f\uaa60-\uaa7f\ua840-\ua87f\U00010ac0-\U00010aff\U00013000-\U0001345f"
)


class _Signs:
    """A set of characters; `re` takes 50 ms to prepare the same."""

    def __init__(self, ranges: str) -> None:
        found = sorted(re.findall("(.)(?:-(.))?", ranges, re.DOTALL))
        self._firsts = [first for first, _ in found]
        self._lasts = [last or first for first, last in found]

    def __contains__(self, sign: str) -> bool:
        at = bisect_right(self._firsts, sign) - 1
        return at >= 0 and bool(sign) and sign <= self._lasts[at]


_EMOJI_BASE = _Signs(_EMOJI)
_EMOJI_PART = _Signs(f"{_EMOJI}\ufe0f")
_ARABIC_SIGN = _Signs(_ARABIC)
_JOINING_SIGN = _Signs(_JOINING)
_IDEOGRAPH = _Signs(_IDEOGRAPHS)
_WITH_VARIANT = _Signs(_WITH_VARIANTS)
_BRAILLE = _Signs("\u2801-\u28ff")
_BRAILLE_OR_BLANK = _Signs("\u2800-\u28ff")
_KEYCAPS = frozenset("0123456789#*")
# What is used within one script alone: the sign, what stands before it, and what behind.
_OWN = tuple(
    tuple(map(_Signs, signs))
    for signs in (
        ("\u180b-\u180f", "\u1820-\u18aa", "\x00-\U0010ffff"),  # Mongolian
        ("\u034f", "\u0591-\u05c7", "\u0591-\u05c7"),  # between marks of biblical Hebrew
        ("\U00013430-\U00013440", "\U00013000-\U0001345f", "\x00-\U0010ffff"),  # hieroglyphs
        ("\U00016fe4", "\U00018b00-\U00018cff", "\x00-\U0010ffff"),  # Khitan
    )
)
_FLAG = "\U0001f3f4"
_END = "\U000e007f"
_REGIONS = ("gbeng", "gbsct", "gbwls")  # the tag sequences that are recommended for interchange
_FLAG_TAGS = frozenset("".join(chr(0xE0000 + ord(c)) for c in one) + _END for one in _REGIONS)


def belongs_as_joiner(sign: str, before: str, after: str) -> bool:
    """Tell whether a zero-width joiner or non-joiner is part of what its neighbours write."""
    if sign == "\u200d" and before in _EMOJI_PART and after in _EMOJI_BASE:
        return True
    if sign == "\u200c" and after in _ARABIC_SIGN and after.isalpha():
        return unicodedata.category(before or " ")[0] not in "CZ"  # a Persian ending: PDF + hâ
    if before not in _JOINING_SIGN:
        return False
    if after in _JOINING_SIGN:
        return True
    # At the end of a word it shows how a letter would be joined.
    ends = after in "\n\t" or unicodedata.category(after)[0] in "ZP"
    return ends and (unicodedata.combining(before) == _VIRAMA or before in _ARABIC_SIGN)


def belongs_as_selector(sign: str, before: str, after: str) -> bool:
    """Tell whether a variation selector chooses a form that its base has; one selector a base."""
    if before in _KEYCAPS:
        return sign == "\ufe0f" and after == "\u20e3"
    if sign >= "\U000e0100":
        return before in _IDEOGRAPH
    bases = _EMOJI_BASE if sign in "\ufe0e\ufe0f" else _WITH_VARIANT
    return before in bases


def belongs_as_braille(_: str, before: str, after: str) -> bool:
    """Tell whether an empty braille pattern stands among others."""
    return before in _BRAILLE_OR_BLANK or after in _BRAILLE


def belongs_as_flag(tags: str, before: str, _: str) -> bool:
    """Tell whether tag characters make a flag of the black one before them."""
    return before == _FLAG and tags in _FLAG_TAGS


def belongs_in_its_script(sign: str, before: str, after: str) -> bool:
    """Tell whether it contains a character that only one script uses."""
    return any(
        sign in own and before in left and (after in right or not after)
        for own, left, right in _OWN
    )


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
        ("\u200c\u200d", belongs_as_joiner),
        (_every(0xFE00, 0xFE0F) + _every(0xE0100, 0xE01EF), belongs_as_selector),
        ("\u2800", belongs_as_braille),
        (_every(0xE0020, 0xE007F), belongs_as_flag),
        ("\u034f\U00016fe4" + _every(0x180B, 0x180F), belongs_in_its_script),
        (_every(0x13430, 0x13440), belongs_in_its_script),
    )
    for sign in signs
}
