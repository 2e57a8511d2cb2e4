"""As much of CSS as tells whether a text can be seen: rules, declarations, lengths and colours.

No engine of a browser: what is not understood hides nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Declarations = dict[str, tuple[str, bool]]
"""A property's value in lower case, and whether it is `!important`."""

Colour = tuple[int, int, int, float]
"""Red, green, blue of 255, and how opaque it is, of 1."""

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_PART = re.compile(r"[^{};]*")
_LENGTH = re.compile(
    r"(-?(?:\d++(?:\.\d++)?|\.\d++))(px|pt|pc|cm|mm|in|em|rem|ex|ch|%|vw|vh|vmin|vmax)?"
)
_DESCENDED = ("@supports", "@layer", "@container", "@scope", "@document")
_PIXELS = {
    "": 1.0, "px": 1.0, "pt": 1.33, "pc": 16.0, "cm": 37.8, "mm": 3.78, "in": 96.0, "em": 16.0,
    "rem": 16.0, "ex": 8.0, "ch": 8.0, "%": 10.0, "vw": 10.0, "vh": 10.0, "vmin": 10.0,
    "vmax": 10.0,
}  # fmt: skip
_NAMED = {
    "white": (255, 255, 255), "black": (0, 0, 0), "snow": (255, 250, 250), "ivory": (255, 255, 240),
    "ghostwhite": (248, 248, 255), "whitesmoke": (245, 245, 245), "floralwhite": (255, 250, 240),
    "mintcream": (245, 255, 250), "azure": (240, 255, 255), "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255), "yellow": (255, 255, 0), "gray": (128, 128, 128), "grey": (128, 128, 128),
    "silver": (192, 192, 192), "navy": (0, 0, 128), "canvas": (255, 255, 255),
    "canvastext": (0, 0, 0),
}  # fmt: skip


class Rule(NamedTuple):
    """A selector as it is written, and what it declares."""

    selector: str
    declarations: Declarations


def rules_of(sheet: str) -> Iterator[Rule]:
    """Yield the rules of a style sheet that hold on a screen, those inside at-rules too."""
    text = _COMMENT.sub(" ", sheet)
    at = 0
    skipped: list[bool] = []  # for each block that is open: whether what is in it does not count
    while at < len(text):
        part = _PART.match(text, at)
        end = part.end() if part else at
        head, sign = text[at:end].strip(), text[end : end + 1]
        at = end + 1
        if sign == "}":
            del skipped[-1:]
        elif sign == "{" and _is_descended(head):
            skipped.append(bool(skipped and skipped[-1]) or _is_for_paper(head))
        elif sign == "{":
            body, at = _block(text, at)
            if not head.startswith("@") and not (skipped and skipped[-1]):
                yield Rule(head, declarations_of(body))


def declarations_of(body: str) -> Declarations:
    """Read `name: value; …`, as in a rule or in a `style` attribute; the last of a name counts."""
    found: Declarations = {}
    for part in _COMMENT.sub(" ", body).split(";"):
        name, colon, value = _ESCAPE.sub(_unescaped, part).partition(":")
        if not colon:
            continue
        name, value = name.strip().lower(), " ".join(value.lower().split())
        before, mark, word = value.rpartition("!")
        plain = before.rstrip() if mark and word.strip() == "important" else value
        if not (found.get(name, ("", False))[1] and plain == value):
            found[name] = (plain, plain != value)
    return found


def pixels(value: str) -> float | None:
    """Return a length in pixels, None where it is none or not known; a percentage as a guess."""
    length = _LENGTH.fullmatch(value)
    return float(length[1]) * _PIXELS[length[2] or ""] if length else None


def colour(value: str) -> Colour | None:
    """Return a colour; None where it is none or not known."""
    if value == "transparent":
        return 0, 0, 0, 0.0
    if value in _NAMED:
        return *_NAMED[value], 1.0
    if re.fullmatch(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", value):
        digits = value[1:] if len(value) > 5 else "".join(one * 2 for one in value[1:])  # noqa: PLR2004 - #rgba
        red, green, blue, *alpha = bytes.fromhex(digits)
        return red, green, blue, alpha[0] / 255 if alpha else 1.0
    if function := re.fullmatch(r"rgba?\(([^()]*)\)", value):
        return _from_numbers(re.split(r"[\s,/]+", function[1].strip()))
    return None


def _from_numbers(parts: list[str]) -> Colour | None:
    try:
        numbers = [
            float(one.rstrip("%")) * ((2.55 if place < 3 else 0.01) if one.endswith("%") else 1)  # noqa: PLR2004 - rgb, then alpha
            for place, one in enumerate(parts)
        ]
        red, green, blue, *alpha = numbers
        return int(red), int(green), int(blue), alpha[0] if alpha else 1.0
    except (ValueError, OverflowError):
        return None


def specificity(selector: str) -> tuple[int, int, int]:
    """Count the ids, the classes and the tags of a selector, which weighs one against another."""
    classes = len(re.findall(r"\.[\w-]|\[|(?<!:):(?!:)", selector))
    tags = len(re.findall(r"(?:^|[\s>+~,(])[a-zA-Z]", selector))
    return len(re.findall(r"#[\w-]", selector)), classes, tags


def _is_descended(head: str) -> bool:
    return head.lower().startswith(("@media", *_DESCENDED))


def _is_for_paper(head: str) -> bool:
    media = head.lower().removeprefix("@media").strip()
    return head.lower().startswith("@media") and media.startswith(
        ("print", "speech", "not all", "not screen")
    )


def _block(text: str, at: int) -> tuple[str, int]:
    """Return the declarations up to the block's end, those of nested rules left out."""
    depth, start, kept = 1, at, ""
    for sign in re.finditer(r"[{}]", text[at:]):
        place = at + sign.start()
        if depth == 1:
            kept += text[start:place].rpartition(";")[0] if sign[0] == "{" else text[start:place]
        depth += 1 if sign[0] == "{" else -1
        start = place + 1
        if not depth:
            return kept, start
    return kept + (text[start:] if depth == 1 else ""), len(text)


def _unescaped(escape: re.Match[str]) -> str:
    if not escape[1]:
        return escape[2] or ""
    code = int(escape[1], 16)
    return chr(code) if 0 < code < 0x11_0000 and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004 - Unicode
