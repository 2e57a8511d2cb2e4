"""JSON as RFC 8259 and I-JSON (RFC 7493) have it: what Python reads beyond that is refused."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from spadework.util.untrusted_text import model_wrote

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_LEVELS = 100
"""How deep arrays and objects may lie in each other; validators walk them by recursion."""

_MOST_DIGITS = 308  # of the largest number that a double holds; no other reader takes more
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotStrict(ValueError):
    """A text is no JSON, or says what JSON has no place for; the message says what."""


def parse_json(text: str) -> Any:
    """Parse a text.

    Raises:
        JSONDecodeError: it is not JSON.
        NotStrict: a key is twice in an object, a number is NaN, infinite or too large for a double,
            a text holds half a character, or the nesting is too deep.
    """
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=as_object,
        )
    except RecursionError:
        raise _too_deep() from None
    _check_levels(value)
    return value


def as_object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs.

    Raises:
        NotStrict: a key is there twice.
    """
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise NotStrict(f"a key is twice in one object; {model_wrote(key)}")
        made[key] = value
    return made


def _refuse_constant(constant: str) -> float:
    raise NotStrict(f"{constant} is not a number of JSON")


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise _too_large()
    return number


def _integer(written: str) -> int:
    if len(written.lstrip("-")) > _MOST_DIGITS:
        raise _too_large()
    return int(written)


def _check_levels(value: Any) -> None:
    """Walk through it without recursion."""
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        if not level:
            return
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.keys()
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, str) and _SURROGATE.search(one):
                raise NotStrict("a text holds half of a surrogate pair")
        level = below
    raise _too_deep()


def _too_large() -> NotStrict:
    return NotStrict("a number is larger than a double can hold")


def _too_deep() -> NotStrict:
    return NotStrict(f"it is nested more than {MOST_LEVELS} levels deep")
