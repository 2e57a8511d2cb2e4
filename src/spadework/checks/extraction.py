"""Data that was extracted from the material must occur in it.

In an answer by schema, addresses, links and long identifiers must be in what was given; a tool
with `grounded = true` wants that of every text and number. What a schema lists itself (`enum`,
`const`), true and false are chosen and not taken, and are left alone.
"""

from __future__ import annotations

import re
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from spadework.checks.answer_check import AnswerCheck, folded, words
from spadework.errors import CheckFailed
from spadework.util.untrusted_text import display_key, quote_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.checks.answer_check import AnswerRequirements, GroundingContext, ValidatedReply

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
_SECONDS = 5.0  # of processor time


def check_extraction(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    """Look up what was extracted. It passes if there was anything to look up.

    Raises:
        CheckFailed: named "extraction"; says what is not there.
    """
    given = wanted.given
    if not given.has_material:
        return answer
    chosen = set(_chosen(wanted.schema))
    leaves = [
        (path, leaf)
        for path, leaf in _leaves(answer.value, "$")
        if leaf not in chosen and (wanted.grounded or _is_taken(leaf))
    ]
    source = _Source(given)
    missing = [(path, leaf) for path, leaf in leaves if not source.has(leaf)]
    if not missing:
        return answer.passing("extraction") if leaves else answer
    shown = "; ".join(
        f"{path}, the model wrote: {quote_foreign(str(leaf))}"
        for path, leaf in missing[:_MOST_SHOWN]
    )
    more = f" and {len(missing) - _MOST_SHOWN} more" if len(missing) > _MOST_SHOWN else ""
    raise CheckFailed("extraction", f"not in the source: {shown}{more}")


class _Source:
    """What was given, made ready for many look-ups; each value is looked up once."""

    def __init__(self, given: GroundingContext) -> None:
        self.given = given
        self._known: dict[str | float, bool] = {}
        self._end = time.thread_time() + _SECONDS

    @cached_property
    def squeezed(self) -> str:
        return _squeezed(self.given.text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(_digits(one[0]) for one in _NUMBER.finditer(self.given.text))

    def has(self, leaf: str | float) -> bool:
        if leaf not in self._known:
            if time.thread_time() > self._end:
                what = f"the answer has more values than can be looked up within {_SECONDS:g} s"
                raise CheckFailed("extraction", what)
            self._known[leaf] = _stands(leaf, self)
        return self._known[leaf]


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
    """The values that the schema itself lists, at any depth."""
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


def _stands(leaf: str | float, source: _Source) -> bool:
    given = source.given
    if not isinstance(leaf, str):
        return _number_stands(leaf, source)
    text = leaf.strip()
    if not text or _moment_stands(text, given):
        return True
    if _MAIL.fullmatch(text) or _LINK.fullmatch(text):
        bare = re.sub(r"^(?:\w+://)?(?:www\.)?", "", folded(text)).rstrip("/.,")
        return bare in given.text
    if not words(text) or given.has_words(text):
        return True
    return _is_taken(text) and _squeezed(text) in source.squeezed


def _squeezed(text: str) -> str:
    """An identifier without what people set between its parts."""
    return re.sub(r"[\s()./#+_-]+", "", folded(text))


def _moment_stands(text: str, given: GroundingContext) -> bool:
    """A date that was put into another form: its year and its day stand there."""
    if not _MOMENT.fullmatch(text):
        return False
    year, _, rest = text.partition("-")
    day = rest[3:5].lstrip("0") or year
    return all(re.search(rf"(?<!\d)0?{re.escape(one)}(?!\d)", given.text) for one in (year, day))


def _number_stands(number: float, source: _Source) -> bool:
    whole = int(abs(number)) if number == int(number) else None
    if whole is not None and whole < len(_SMALL) and source.given.has_words(_SMALL[whole]):
        return True
    wanted = _digits(f"{whole}" if whole is not None else f"{abs(number)!r}")
    return wanted in source.numbers


def _digits(text: str) -> str:
    """A number's digits, whatever separates them; zeros at its ends say nothing here."""
    return re.sub(r"\D", "", text).strip("0") or "0"


CHECKS = (AnswerCheck("extraction", "json", check_extraction, repairable=True),)
