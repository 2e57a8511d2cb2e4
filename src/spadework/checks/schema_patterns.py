"""Patterns of foreign schemas: ECMA-262 as JSON Schema has it, matched in linear time by RE2.

A pattern is translated, not passed on: the two languages spell the same things differently. What
RE2 cannot express (look-around, back-references) is refused. So is what would cost too much.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2  # type: ignore[import-untyped]  # it has no stubs

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_PATTERN = 2000
"""Characters."""
MEMORY = 512 * 1024
"""Bytes that RE2 may use for one pattern; it keeps the last 128."""
MOST_WORK = 50_000_000
"""Instructions of a pattern times bytes of a text: a second or two where RE2 is at its slowest."""

_SHOWN = 60
_LARGEST_SIGN = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_HIGH = range(0xD800, 0xDC00)
_LOW = range(0xDC00, 0xE000)
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
_BLANKS = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_DIGITS = ((0x30, 0x39),)
_WORD = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _BLANKS}
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
_HEX = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}")
_COUNT = re.compile(r"\{\d{1,9}(?:,\d{0,9})?\}")
_GROUP = re.compile(r"\((?:\?(?::|P?<(?![=!])[^>()]{1,64}>|i:)|(?!\?))")
_PROPERTY = re.compile(r"[pP]\{(?:(?P<kind>\w{1,24})=)?(?P<name>\w{1,40})\}")
_LONG_NAMES = {
    "Letter": "L",
    "Mark": "M",
    "Number": "N",
    "Punctuation": "P",
    "Symbol": "S",
    "Separator": "Z",
    "Other": "C",
    "Uppercase_Letter": "Lu",
    "Lowercase_Letter": "Ll",
    "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm",
    "Other_Letter": "Lo",
    "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc",
    "Decimal_Number": "Nd",
    "Letter_Number": "Nl",
    "Other_Number": "No",
    "Currency_Symbol": "Sc",
    "Math_Symbol": "Sm",
    "Space_Separator": "Zs",
    "Control": "Cc",
    "Format": "Cf",
    "punct": "P",
    "digit": "Nd",
}


class UnsupportedPattern(Exception):
    """A pattern cannot be used; the message says why, and what to do."""


class TextTooLong(Exception):
    """A text is too long for a pattern of that size."""


class Pattern:
    """A pattern that is searched for in time linear in the text. Raises `UnsupportedPattern`."""

    def __init__(self, source: str) -> None:
        options = re2.Options()
        options.max_mem = MEMORY
        options.never_capture = True
        options.log_errors = False
        translated = translate(source)
        try:
            self._compiled: Any = re2.compile(translated.encode(), options)
        except re2.error as error:
            said = error.args[0] if error.args else b""
            why = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            raise UnsupportedPattern(
                f"{why[:_SHOWN]}; use a simpler one, or minLength and maxLength"
            ) from None

    @property
    def size(self) -> int:
        """How many instructions it has."""
        return int(self._compiled.programsize)

    def is_in(self, text: str) -> bool:
        """Search for it in a text.

        Raises:
            TextTooLong: that could take too long.
        """
        data = text.encode(errors="replace")
        if len(data) * self.size > MOST_WORK:
            raise TextTooLong(f"a text of {len(text):,} characters is too long for its pattern")
        return self._compiled.search(data) is not None


@lru_cache(maxsize=256)
def compiled(source: str) -> Pattern:
    """Return the compiled form of a pattern.

    Raises:
        UnsupportedPattern: there is none.
    """
    return Pattern(source)


def translate(source: str) -> str:
    """Write a pattern of ECMA-262 (with its `u` flag) as RE2 spells it.

    Raises:
        UnsupportedPattern: that is not possible.
    """
    if len(source) > LONGEST_PATTERN:
        raise UnsupportedPattern(
            f"it has {len(source):,} characters; the most is {LONGEST_PATTERN:,}"
        )
    return "".join(_Translation(source).parts())


class _Translation:
    """One pattern, read from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def parts(self) -> Iterator[str]:
        while self._at < len(self._source):
            yield self._part()

    def _part(self) -> str:
        sign = self._source[self._at]
        if sign == "\\":
            return self._escape()
        if sign == "[":
            return self._class()
        if sign == "(":
            return self._group()
        if sign == "{":
            count = _COUNT.match(self._source, self._at)
            self._at = count.end() if count else self._at + 1
            return count[0] if count else r"\{"
        self._at += 1
        if sign in "|)*+?":
            return sign
        simple = {".": f"[^{_LINE_ENDS}]", "^": r"\A", "$": r"\z"}
        return simple.get(sign) or _sign(ord(sign))

    def _group(self) -> str:
        match = _GROUP.match(self._source, self._at)
        if match is None:
            raise UnsupportedPattern(_why_no_group(self._source[self._at : self._at + 4]))
        self._at = match.end()
        return "(?i:" if match[0] == "(?i:" else "(?:"

    def _escape(self) -> str:
        """Translate what a backslash begins, outside of a class."""
        letter = self._source[self._at + 1 : self._at + 2]
        if letter in {"b", "B"}:
            self._at += 2
            return f"\\{letter}"
        found = self._item()
        return found if isinstance(found, str) else _sign(found)

    def _item(self) -> int | str:
        """Read an escape: the sign that it is, or a class of RE2."""
        self._at += 1
        rest = self._source[self._at : self._at + 1]
        if match := _HEX.match(self._source, self._at):
            self._at = match.end()
            return self._paired(int(match[1] or match[2] or match[3], 16))
        if match := _PROPERTY.match(self._source, self._at):
            self._at = match.end()
            return _property(match)
        if rest == "c" and self._source[self._at + 1 : self._at + 2].encode().isalpha():
            self._at += 2
            return ord(self._source[self._at - 1]) % 32
        self._at += 1
        if rest.lower() in _CLASSES:
            return _ranges(_CLASSES[rest.lower()], negated=rest.isupper())
        if rest == "0" and not self._source[self._at : self._at + 1].isdigit():
            return 0
        return _CONTROLS[rest] if rest in _CONTROLS else self._itself(rest)

    def _itself(self, rest: str) -> int:
        """Read a sign that stands for itself after a backslash."""
        if not rest:
            raise UnsupportedPattern("it ends with a backslash")
        if rest.isdigit() or rest == "k":
            raise UnsupportedPattern(
                f"\\{rest} (a back-reference) needs time that grows without bound"
            )
        if rest.isascii() and rest.isalpha():
            raise UnsupportedPattern(
                f"\\{rest} is not an escape of ECMA-262; for the ends use ^ and $"
            )
        return ord(rest)

    def _paired(self, number: int) -> int:
        """Join the two halves of a sign that is written as two escapes, as JSON does."""
        if number in _HIGH and (low := _HEX.match(self._source, self._at + 1)):
            second = int(low[1] or low[2] or low[3], 16)
            if self._source[self._at] == "\\" and second in _LOW:
                self._at = low.end()
                return 0x10000 + (number - _HIGH[0]) * 0x400 + second - _LOW[0]
        if number in _SURROGATES or number > _LARGEST_SIGN:
            raise UnsupportedPattern(f"\\u{{{number:X}}} is not a character")
        return number

    def _class(self) -> str:
        self._at += 1
        negated = self._source.startswith("^", self._at)
        self._at += negated
        parts: list[str] = []
        while not self._source.startswith("]", self._at):
            if self._at >= len(self._source):
                raise UnsupportedPattern("a [ has no ]")
            parts.append(self._range())
        self._at += 1
        if not parts:  # [] is never, [^] is anything
            return f"[{'' if negated else '^'}\\x{{0}}-\\x{{{_LARGEST_SIGN:x}}}]"
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _range(self) -> str:
        first = self._class_item()
        has_end = self._source.startswith("-", self._at) and not self._source.startswith(
            "-]", self._at
        )
        if not has_end:
            return first if isinstance(first, str) else _sign(first)
        self._at += 1
        last = self._class_item()
        if isinstance(first, str) or isinstance(last, str):
            return "".join(one if isinstance(one, str) else _sign(one) for one in (first, 45, last))
        if last < first:
            raise UnsupportedPattern("a range in [] is in the wrong order")
        return f"{_sign(first)}-{_sign(last)}"

    def _class_item(self) -> int | str:
        if self._at >= len(self._source):
            raise UnsupportedPattern("a [ has no ]")
        if self._source[self._at] == "\\":
            if self._source.startswith("\\b", self._at):
                self._at += 2
                return 0x08
            item = self._item()
            return item.removeprefix("[").removesuffix("]") if isinstance(item, str) else item
        self._at += 1
        return ord(self._source[self._at - 1])


def _sign(number: int) -> str:
    sign = chr(number)
    plain = (sign.isascii() and sign.isalnum()) or sign == "_"
    if number in _SURROGATES:
        raise UnsupportedPattern("it has half a character")
    return sign if plain else f"\\x{{{number:x}}}"


def _ranges(ranges: tuple[tuple[int, int], ...], *, negated: bool) -> str:
    """Write ranges as the class of RE2 that they are, or as all but them."""
    if negated:
        edges = [-1, *(edge for pair in ranges for edge in pair), _LARGEST_SIGN + 1]
        between = zip(edges[::2], edges[1::2], strict=True)
        ranges = tuple((low + 1, high - 1) for low, high in between if low + 1 < high)
    return f"[{''.join(f'{_sign(low)}-{_sign(high)}' for low, high in ranges)}]"


def _property(match: re.Match[str]) -> str:
    kind, name = match["kind"], match["name"]
    if kind not in {None, "Script", "sc", "General_Category", "gc"}:
        raise UnsupportedPattern(
            f"\\p{{{kind}=…}} is not known here; use Script= or General_Category="
        )
    return f"\\{match[0][0]}{{{_LONG_NAMES.get(name, name)}}}"


def _why_no_group(begin: str) -> str:
    if begin.startswith(("(?=", "(?!", "(?<")):
        what = "look-behind" if begin.startswith("(?<") else "look-ahead"
        return f"{begin}… ({what}) cannot be matched in bounded time; write it without"
    return f"{begin}… is not a group of ECMA-262"
