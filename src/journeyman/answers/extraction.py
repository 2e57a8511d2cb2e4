"""Data that was taken out of the material must stand in it.

In an answer by schema, addresses, links and long identifiers must be in what was given; a tool
with `grounded = true` wants that of every text and number. What a schema lists itself (`enum`,
`const`), true and false are chosen and not taken, and are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from journeyman.answers.given import folded, words
from journeyman.errors import CheckFailed
from journeyman.text.foreign import display_key, quote_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from journeyman.answers.given import Given

_MAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[a-z]{2,}", re.IGNORECASE)
_LINK = re.compile(r"(?:https?|ftp)://\S+|www\.\S+", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d{1,2}(?:-\d{1,2})?(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?|\d{1,2}:\d\d.*")
_IDENTIFIER = re.compile(r"[+(]?\w[\w./()#+ -]*")
_LEAST_DIGITS = 5  # a year has four, and so has many a number that was worked out
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_NUMBER = re.compile(r"\d(?:[\d.,'_\u2009\u202f\xa0]*\d)?")
_MOST_SHOWN = 3


def check_extraction(
    value: Any, schema: Mapping[str, Any], given: Given, *, grounded: bool
) -> bool:
    """Look up what was extracted.

    Args:
        value: the answer.
        schema: what it follows.
        given: where it must stand.
        grounded: whether every text and number must.

    Returns:
        Whether there was anything to look up.

    Raises:
        CheckFailed: named "extraction"; says what is not there.
    """
    if not given.has_material:
        return False
    chosen = set(_chosen(schema))
    leaves = [
        (path, leaf)
        for path, leaf in _leaves(value, "$")
        if leaf not in chosen and (grounded or _is_taken(leaf))
    ]
    missing = [(path, leaf) for path, leaf in leaves if not _stands(leaf, given)]
    if not missing:
        return bool(leaves)
    shown = "; ".join(
        f"{path}, the model wrote: {quote_foreign(str(leaf))}"
        for path, leaf in missing[:_MOST_SHOWN]
    )
    more = f" and {len(missing) - _MOST_SHOWN} more" if len(missing) > _MOST_SHOWN else ""
    raise CheckFailed("extraction", f"not in the source: {shown}{more}")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str | float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{display_key(key)}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield path, value


def _chosen(schema: Any) -> Iterator[str | float]:
    """What the schema itself lists, wherever that stands in it."""
    if isinstance(schema, list):
        for one in schema:
            yield from _chosen(one)
    elif isinstance(schema, dict):
        listed = schema.get("enum")
        values = [*(listed if isinstance(listed, list) else ()), schema.get("const")]
        yield from (one for one in values if isinstance(one, str | int | float))
        for one in schema.values():
            yield from _chosen(one)


def _is_taken(leaf: str | float) -> bool:
    """Tell whether a leaf can hardly be anything but taken from somewhere."""
    if not isinstance(leaf, str) or _MOMENT.fullmatch(leaf.strip()):
        return False
    text = leaf.strip()
    if _MAIL.fullmatch(text) or _LINK.fullmatch(text):
        return True
    digits = sum(map(str.isdigit, text))
    return digits >= _LEAST_DIGITS and len(words(text)) <= digits and _is_identifier(text)


def _is_identifier(text: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(text)) and not _NUMBER.fullmatch(text)


def _stands(leaf: str | float, given: Given) -> bool:
    if not isinstance(leaf, str):
        return _number_stands(leaf, given)
    text = leaf.strip()
    if not text or _moment_stands(text, given):
        return True
    if _MAIL.fullmatch(text) or _LINK.fullmatch(text):
        bare = re.sub(r"^(?:\w+://)?(?:www\.)?", "", folded(text)).rstrip("/.,")
        return bare in given.text
    if not words(text) or given.has_words(text):
        return True
    return _is_taken(text) and _squeezed(text) in _squeezed(given.text)


def _squeezed(text: str) -> str:
    """An identifier without what people set between its parts."""
    return re.sub(r"[\s()./#+_-]+", "", folded(text))


def _moment_stands(text: str, given: Given) -> bool:
    """A date that was put into another form: its year and its day stand there."""
    if not _MOMENT.fullmatch(text):
        return False
    year, _, rest = text.partition("-")
    day = rest[3:5].lstrip("0") or year
    return all(re.search(rf"(?<!\d)0?{re.escape(one)}(?!\d)", given.text) for one in (year, day))


def _number_stands(number: float, given: Given) -> bool:
    whole = int(abs(number)) if number == int(number) else None
    if whole is not None and whole < len(_SMALL) and given.has_words(_SMALL[whole]):
        return True
    wanted = _digits(f"{whole}" if whole is not None else f"{abs(number)!r}")
    return any(_digits(one[0]) == wanted for one in _NUMBER.finditer(given.text))


def _digits(text: str) -> str:
    """A number's digits, whatever separates them; zeros at its ends say nothing here."""
    return re.sub(r"\D", "", text).strip("0") or "0"
