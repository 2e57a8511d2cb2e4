"""Takes out of HTML what a reader of the page does not see: it may hold orders to the model.

Judged by the page itself: attributes, inline styles and `<style>`. What scripts and style sheets
elsewhere do is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PreformattedString
from soupsieve import SelectorSyntaxError

from spadework.references.documents.css import (
    Colour,
    Declarations,
    colour,
    declarations_of,
    pixels,
    rules_of,
    specificity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_RULES = 2000
_NEVER_SHOWN = frozenset(
    [
        "template",
        "noscript",
        "noframes",
        "noembed",
        "datalist",
        "iframe",
        "canvas",
        "audio",
        "video",
    ]
)
_HIDING_PROPERTIES = """
display visibility opacity font font-size color background background-color position left right top
bottom inset text-indent margin margin-left margin-top transform scale clip clip-path width height
max-width max-height overflow filter zoom content-visibility -webkit-text-fill-color
"""
_MEANS_SOMETHING = frozenset(_HIDING_PROPERTIES.split())
_AWAY = -100.0  # pixels beyond the page's edge
_SMALL = 2.0  # pixels
_FAINT = 0.06
_ALIKE = 14  # of 255

Weight = tuple[bool, tuple[int, int, int, int], int]


class _Look(NamedTuple):
    """What an element hands down to the text in it."""

    colour: Colour | None
    background: Colour | None
    visible: bool = True
    legible: bool = True

    @property
    def shows(self) -> bool:
        return self.visible and self.legible and not _alike(self.colour, self.background)


def without_hidden(data: bytes, sheets: Iterable[str] = ()) -> tuple[bytes, int]:
    """Take out the texts that cannot be seen.

    Args:
        data: a page in UTF-8.
        sheets: style sheets that hold beside its own.

    Returns:
        The page, the very same bytes where nothing is hidden; and how many texts were taken out.
    """
    soup = BeautifulSoup(data, "html.parser", from_encoding="utf-8")
    own = [one.get_text() for one in soup("style")]
    styles = _styles(soup, [*sheets, *own])
    count = 0
    white, black = (255, 255, 255, 1.0), (0, 0, 0, 1.0)
    waiting: list[tuple[Tag, _Look]] = [(soup, _Look(black, white))]
    while waiting:
        parent, look = waiting.pop()
        for child in list(parent.children):
            if isinstance(child, Tag):
                if child.name in {"script", "style", "head", "title"}:
                    continue  # the converter leaves them out, or they are the page's title
                style = _style_of(child, styles)
                if _is_out_of_sight(child, style):
                    count += bool(child.get_text(strip=True))
                    child.extract()
                else:
                    waiting.append((child, _look_of(style, look)))
            elif _is_text(child) and not look.shows:
                count += 1
                child.extract()
    return (soup.encode("utf-8"), count) if count else (data, 0)


def _is_text(child: object) -> bool:
    is_plain = isinstance(child, NavigableString) and not isinstance(child, PreformattedString)
    return is_plain and bool(str(child).strip())


def _styles(soup: BeautifulSoup, sheets: list[str]) -> dict[int, dict[str, tuple[Weight, str]]]:
    """Apply the rules that may hide something; the weightiest declaration of an element wins."""
    found: dict[int, dict[str, tuple[Weight, str]]] = {}
    rules = (rule for sheet in sheets for rule in rules_of(sheet))
    able = [rule for rule in rules if not _MEANS_SOMETHING.isdisjoint(rule.declarations)]
    for order, rule in enumerate(able[-_MOST_RULES:]):
        try:
            elements = soup.select(rule.selector)
        except (SelectorSyntaxError, ValueError, NotImplementedError):
            continue
        weight = (0, *specificity(rule.selector))
        for element in elements:
            _declare(found.setdefault(id(element), {}), rule.declarations, weight, order)
    return found


def _declare(
    known: dict[str, tuple[Weight, str]],
    declarations: Declarations,
    specific: tuple[int, int, int, int],
    order: int,
) -> None:
    for name, (value, important) in declarations.items():
        weight = (important, specific, order)
        if name not in known or known[name][0] <= weight:
            known[name] = (weight, value)


def _style_of(element: Tag, styles: dict[int, dict[str, tuple[Weight, str]]]) -> dict[str, str]:
    known = dict(styles.get(id(element), {}))
    inline = declarations_of(str(element.get("style", "")))
    _declare(known, inline, (1, 0, 0, 0), 0)
    style = {name: value for name, (_, value) in known.items()}
    if "color" in element.attrs:  # <font color=white>
        style.setdefault("color", str(element["color"]).lower())
    if "bgcolor" in element.attrs:
        style.setdefault("background-color", str(element["bgcolor"]).lower())
    return style


def _is_out_of_sight(element: Tag, style: dict[str, str]) -> bool:
    """Whether nothing of the element is drawn, whatever is in it."""
    if element.name in _NEVER_SHOWN or (element.name == "dialog" and "open" not in element.attrs):
        return True
    if "hidden" in element.attrs and style.get("display", "none") == "none":
        return True
    return (
        style.get("display") == "none"
        or style.get("content-visibility") == "hidden"
        or _is_nothing(style.get("opacity"), _FAINT)
        or _is_nothing(style.get("zoom"), _FAINT)
        or _is_nothing(style.get("scale"), _FAINT)
        or bool(re.search(r"opacity\(\s*+0*+\.?0*+%?\s*+\)", style.get("filter", "")))
        or _is_moved_away(style)
        or _is_cut_to_nothing(style)
    )


def _is_nothing(value: str | None, most: float) -> bool:
    if value is None:
        return False
    try:
        return float(value.rstrip("%")) * (0.01 if value.endswith("%") else 1) < most
    except ValueError:
        return False


def _is_moved_away(style: dict[str, str]) -> bool:
    if style.get("position") in {"absolute", "fixed"}:
        sides = (style.get(side, "") for side in ("left", "right", "top", "bottom"))
        places = [pixels(one) for one in (*sides, *style.get("inset", "").split())]
        if any(one is not None and (one < _AWAY or one > -50 * _AWAY) for one in places):
            return True
    moved = (style.get(name, "") for name in ("margin-left", "margin-top", "text-indent"))
    if any((one := pixels(value)) is not None and one < _AWAY for value in moved):
        return True
    if any(
        (one := pixels(value)) is not None and one < 5 * _AWAY
        for value in style.get("margin", "").split()
    ):
        return True
    transform = style.get("transform", "")
    shifts = re.findall(r"translate(?:x|y|3d)?\(([^()]*)\)", transform)
    lengths = [pixels(one.strip()) for shift in shifts for one in shift.split(",")]
    return bool(re.search(r"scale(?:x|y|3d)?\(\s*+0*+\.?0*+\s*+[,)]", transform)) or any(
        one is not None and abs(one) > -5 * _AWAY for one in lengths
    )


def _is_cut_to_nothing(style: dict[str, str]) -> bool:
    path = style.get("clip-path", "")
    if re.match(r"inset\(\s*(?:[5-9]\d|100)(?:\.\d+)?%|(?:circle|ellipse)\(\s*0", path):
        return True
    clip = re.findall(r"-?\d+", style.get("clip", ""))
    if (
        clip
        and style.get("position") in {"absolute", "fixed"}
        and all(abs(int(one[:4])) <= 1 for one in clip)
    ):
        return True
    sizes = (style.get(side, "") for side in ("width", "height", "max-width", "max-height"))
    is_small = any((one := pixels(value)) is not None and one < _SMALL for value in sizes)
    return is_small and style.get("overflow", "").startswith(("hidden", "clip"))


def _look_of(style: dict[str, str], look: _Look) -> _Look:
    """Return what the element hands down, by what was handed to it."""
    ink = style.get("-webkit-text-fill-color", style.get("color", "inherit"))
    background = _background(style)
    visibility = style.get("visibility", "inherit")
    size = _font_size(style)
    return _Look(
        colour=look.colour if ink in {"inherit", "currentcolor"} else colour(ink),
        background=look.background if background is None else _known(background),
        visible=look.visible
        if visibility == "inherit"
        else visibility not in {"hidden", "collapse"},
        legible=look.legible if size is None else size >= _SMALL,
    )


def _background(style: dict[str, str]) -> str | None:
    """Return the background where the element has one; a picture is a colour not known."""
    for name in ("background-color", "background"):
        value = style.get(name, "")
        if value and value not in {"none", "inherit", "transparent", "initial", "unset"}:
            return value
    return None


def _known(background: str) -> Colour | None:
    found = colour(background) or next(filter(None, map(colour, background.split())), None)
    return found if found and "url(" not in background and "gradient" not in background else None


def _font_size(style: dict[str, str]) -> float | None:
    if (size := style.get("font-size")) is not None:
        return pixels(size)
    size_and_more = r"(?:[a-z-]++\s++)*+(-?(?:\d++(?:\.\d++)?|\.\d++)[a-z%]*+)(?:/\S++)?\s"
    sizes = re.match(size_and_more, style.get("font", ""))
    return pixels(sizes[1]) if sizes else None


def _alike(ink: Colour | None, background: Colour | None) -> bool:
    if ink is None:
        return False
    if ink[3] < _FAINT:
        return True
    return background is not None and all(
        abs(one - other) <= _ALIKE for one, other in zip(ink[:3], background[:3], strict=True)
    )
