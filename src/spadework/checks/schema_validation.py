"""JSON Schema within bounds: a schema and a reply of anybody take limited time and memory.

Every keyword that is applied counts against a budget, so what multiplies (references to itself,
nested alternatives, lists in lists) ends; patterns are those of `schema_patterns.py`; each single
step is at most linear in the schema and in the reply. Nothing is ever fetched.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from jsonschema import validators
from jsonschema.exceptions import ValidationError, best_match
from referencing.exceptions import Unresolvable
from referencing.jsonschema import EMPTY_REGISTRY

from spadework.checks.schema_patterns import TextTooLong, UnsupportedPattern, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.protocols import Validator

    Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]

SECONDS = 5.0
"""Processor time for one reply; a reply of 1 MB needs about one."""
LONGEST_MESSAGE = 200  # characters
_MOST_ERRORS = 5000


class ValidationTooCostly(Exception):
    """It takes longer than `SECONDS`, or finds more than can be kept."""


class _Budget:
    """What one validation may still use."""

    def __init__(self, seconds: float) -> None:
        self._end = time.thread_time() + seconds
        self._seconds = seconds
        self._errors = 0

    def spend(self) -> None:
        if time.thread_time() > self._end:
            raise ValidationTooCostly(f"checking it takes longer than {self._seconds:g} s")

    def keep(self, error: ValidationError) -> None:
        """Keep an error: its message quotes the value, however large that is."""
        self._errors += 1
        if self._errors > _MOST_ERRORS:
            raise ValidationTooCostly(f"it breaks the schema in more than {_MOST_ERRORS} places")
        error.message = shortened(error.message)
        error.args = (error.message,)  # it had a copy of the whole


_budget: ContextVar[_Budget] = ContextVar("_budget")


def problems(
    value: Any, schema: Mapping[str, Any], seconds: float = SECONDS
) -> list[ValidationError]:
    """Return what of a value breaks a schema, as far as there is time and room to find it.

    Raises:
        ValidationTooCostly: nothing was found until then.
        RecursionError: the schema has no end, or the value is nested too deeply for it.
        Unresolvable: it refers to what is not there.
        UnsupportedPattern: one of its patterns cannot be used.
    """
    found: list[ValidationError] = []
    with _spending(seconds):
        try:
            found.extend(
                _bounded(_kind(schema))(schema, registry=EMPTY_REGISTRY).iter_errors(value)
            )
        except (ValidationTooCostly, TextTooLong) as error:
            if not found:
                raise ValidationTooCostly(str(error)) from None
    return found


def schema_problem(schema: Mapping[str, Any], seconds: float = SECONDS) -> ValidationError | None:
    """Return what is wrong with a schema by its own meta-schema, None if nothing is.

    Raises:
        ValidationTooCostly: that takes too long.
    """
    kind = _kind(schema)
    with _spending(seconds):
        meta = _bounded(_kind(kind.META_SCHEMA))(kind.META_SCHEMA)
        error: ValidationError | None = best_match(meta.iter_errors(schema))
        return error


def shortened(message: str) -> str:
    """Put a message on one line of bounded length."""
    line = " ".join(message[: 4 * LONGEST_MESSAGE].split())
    return line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE] + "…"


@contextmanager
def _spending(seconds: float) -> Iterator[None]:
    token = _budget.set(_Budget(seconds))
    try:
        yield
    finally:
        _budget.reset(token)


def _kind(schema: Mapping[str, Any]) -> Any:
    return validators.validator_for(dict(schema), default=validators.Draft202012Validator)


@cache
def _bounded(kind: Any) -> type[Validator]:
    """Make the validator of a draft whose every keyword counts."""
    keywords: dict[str, Keyword] = dict(kind.VALIDATORS)
    ours: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "multipleOf": _multiple_of,
        "divisibleBy": _multiple_of,
    }
    keywords.update((name, keyword) for name, keyword in ours.items() if name in keywords)
    counted = {name: _counted(keyword) for name, keyword in keywords.items()}
    made: type[Validator] = validators.extend(kind, counted)  # type: ignore[no-untyped-call]
    return made


def _counted(keyword: Keyword) -> Keyword:
    def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        budget = _budget.get()
        budget.spend()
        for error in keyword(validator, value, instance, schema) or ():
            budget.keep(error)
            yield error

    return apply


def _pattern(validator: Any, source: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not compiled(source).is_in(instance):
        yield ValidationError(f"{instance!r} does not match {source!r}")


def _pattern_properties(
    validator: Any, table: Mapping[str, Any], instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for source, below in table.items():
        pattern = compiled(source)
        for key, value in instance.items():
            _budget.get().spend()
            if pattern.is_in(key):
                yield from validator.descend(value, below, path=key, schema_path=source)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    patterns = [compiled(source) for source in schema.get("patternProperties", {})]
    listed = schema.get("properties", {})
    extras = [
        key
        for key in instance
        if key not in listed and not any(pattern.is_in(key) for pattern in patterns)
    ]
    if validator.is_type(allowed, "object"):
        for extra in extras:
            yield from validator.descend(instance[extra], allowed, path=extra)
    elif not allowed and extras:
        names = ", ".join(repr(name[:LONGEST_MESSAGE]) for name in extras[:LONGEST_MESSAGE])
        verb = "was" if len(extras) == 1 else "were"
        yield ValidationError(f"Additional properties are not allowed ({names} {verb} unexpected)")


def _unique_items(validator: Any, wanted: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if not wanted or not validator.is_type(instance, "array"):
        return
    seen = set()
    for item in instance:
        _budget.get().spend()
        key = _comparable(item)
        if key in seen:
            yield ValidationError(f"an item is there twice: {shortened(repr(item))}")
            return
        seen.add(key)


def _comparable(value: Any) -> Any:
    """Return what is equal, and hashable, for values that JSON Schema calls equal."""
    if isinstance(value, dict):
        return frozenset((key, _comparable(one)) for key, one in value.items())
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    return (value,) if isinstance(value, bool) else value


def _multiple_of(validator: Any, unit: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    """Compare as decimals: 0.3 is a multiple of 0.1, and no number is too large for it."""
    if not validator.is_type(instance, "number"):
        return
    numbers = (instance, unit)
    if not all(map(_is_finite, numbers)) or _decimal(instance) % _decimal(unit):
        yield ValidationError(f"{shortened(str(instance))} is not a multiple of {unit}")


def _is_finite(number: float) -> bool:
    return isinstance(number, int) or isfinite(number)


def _decimal(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


__all__ = [
    "LONGEST_MESSAGE",
    "SECONDS",
    "Unresolvable",
    "UnsupportedPattern",
    "ValidationTooCostly",
    "problems",
    "schema_problem",
    "shortened",
]
