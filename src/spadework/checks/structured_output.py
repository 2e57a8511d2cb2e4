"""Answers by JSON Schema: the schema of a call, and what a model says to it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from spadework.checks.reply_markup import fences_of
from spadework.checks.schema_patterns import UnsupportedPattern, compiled
from spadework.checks.schema_violations import describe_violation
from spadework.checks.strict_json import NotStrict, as_object, parse_json
from spadework.errors import ArgumentError, CheckFailed
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LARGEST_SCHEMA = 50_000  # characters; a model would have to read it too
_MOST_PROBLEMS = 3
_DEEPEST_SCHEMA = 100
_DEEPEST_ANSWER = 64
_SECONDS_TO_READ = 5.0
_SECONDS_TO_TRY = 1.0
_SIMPLER = "give a simpler one: fewer alternatives and references in each other"
_DEFINE = "put what it means under $defs"
_short = partial(one_line, limit=200)
_HINT = 'such as {"type": "object", "properties": {"name": {"type": "string"}}}'

# Where a schema holds schemas. What stands under `not` and `if` only asks, so it stays as it is.
_ONE = ("items", "additionalItems", "additionalProperties", "contains", "then", "else")
_LISTS = ("prefixItems", "anyOf", "oneOf")
_TABLES = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
# Beside these, other schemas say which properties there are.
_SHARED = ("allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "patternProperties")


def check_schema(schema: Mapping[str, Any], seconds: float = _SECONDS_TO_READ) -> None:
    """Make sure that a schema can be used, in bounded time. Call it in a thread.

    Args:
        schema: the schema.
        seconds: of processor time, the most that reading it by its meta-schema may take.

    Raises:
        ArgumentError: it cannot; one line that says where and why.
    """
    try:
        if not is_shallow(schema, _DEEPEST_SCHEMA):
            raise ArgumentError(f"the schema is nested deeper than {_DEEPEST_SCHEMA}", hint=_HINT)
        size = len(json.dumps(schema))
        if size > _LARGEST_SCHEMA:
            said = f"the schema has {size:,} characters; the most is {_LARGEST_SCHEMA:,}"
            raise ArgumentError(said, hint="ask for less at once")
        _check_form(schema, seconds)
        for where, key, value in _keywords(schema, ""):
            _check_keyword(where, key, value, schema)
        _check_end(schema)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the schema is not valid JSON: {error}", hint=_HINT) from None


def _check_form(schema: Mapping[str, Any], seconds: float) -> None:
    from spadework.checks import schema_validation  # noqa: PLC0415 - heavy

    try:
        error = schema_validation.schema_problem(schema, seconds)
    except schema_validation.ValidationTooCostly as reason:
        raise ArgumentError(f"the schema is too large: {reason}", hint=_SIMPLER) from None
    if error is not None:
        where = error.json_path.removeprefix("$.")
        at = f" at {where}" if where != "$" else ""
        said = f"the schema is wrong{at}: {_short(error.message)}"
        raise ArgumentError(said, hint=f"a JSON Schema, {_HINT}") from None


def _check_end(schema: Mapping[str, Any]) -> None:
    """Try the schema on values of each kind: what refers to itself in place never ends."""
    from spadework.checks import schema_validation  # noqa: PLC0415 - heavy

    try:
        of_each_kind: tuple[Any, ...] = (None, {}, [], "", 0)
        for value in of_each_kind:
            schema_validation.problems(value, schema, _SECONDS_TO_TRY)
    except RecursionError:
        said = "the schema refers to itself without an end"
        hint = "let a $ref lead to itself only by way of properties or items"
        raise ArgumentError(said, hint=hint) from None
    except schema_validation.ValidationTooCostly as reason:
        raise ArgumentError(f"the schema is too complex: {reason}", hint=_SIMPLER) from None
    except schema_validation.Unresolvable as error:
        said = f"the schema refers to an undefined definition: {_short(repr(error.ref))}"
        raise ArgumentError(said, hint=_DEFINE) from None
    except schema_validation.UnsupportedPattern as error:
        raise ArgumentError(f"a pattern of the schema cannot be used: {error}") from None


def _keywords(schema: Any, where: str) -> Iterator[tuple[str, str, Any]]:
    """Yield every keyword that may refer or match: where it is, its name and its value."""
    if isinstance(schema, list):
        for place, one in enumerate(schema):
            yield from _keywords(one, f"{where}[{place}]")
    elif isinstance(schema, dict):
        for key, value in schema.items():
            at = f"{where}.{key}" if where else str(key)
            yield at, key, value
            if key not in {"enum", "const", "default", "examples"}:
                yield from _keywords(value, at)


def _check_keyword(where: str, key: str, value: Any, schema: Mapping[str, Any]) -> None:
    if key in {"$ref", "$dynamicRef"} and isinstance(value, str):
        _check_reference(value, schema)
    elif key == "$id" and isinstance(value, str) and where != key:
        said = f"the schema has an $id of its own at {_short(where)}"
        raise ArgumentError(said, hint=f"take it out; {_DEFINE}")
    elif key == "pattern" and isinstance(value, str):
        _check_pattern(where, value)
    elif key == "patternProperties" and isinstance(value, dict):
        if "unevaluatedProperties" in json.dumps(schema):
            said = f"the schema has both unevaluatedProperties and {_short(where)}"
            raise ArgumentError(said, hint="say additionalProperties instead of the former")
        for source in value:
            _check_pattern(where, source)


def _check_pattern(where: str, source: str) -> None:
    try:
        compiled(source)
    except UnsupportedPattern as error:
        said = f"the schema's pattern at {_short(where)} cannot be used: {error}"
        hint = "write it without look-around and back-references, or leave it out"
        raise ArgumentError(said, hint=hint) from None


def _check_reference(reference: str, schema: Mapping[str, Any]) -> None:
    """Nothing is fetched for a schema, and what it points at must be there."""
    shown = _short(repr(reference))
    if not reference.startswith("#"):
        raise ArgumentError(f"the schema refers to another document: {shown}", hint=_DEFINE)
    if reference != "#" and not reference.startswith("#/"):
        return  # a name; whether there is one is seen when the schema is tried
    place: Any = schema
    for step in reference.removeprefix("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        place = place.get(key) if isinstance(place, dict) else None
    if place is None:
        raise ArgumentError(f"the schema refers to an undefined definition: {shown}", hint=_DEFINE)


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Close every object whose properties are listed and that does not say itself what else it has.

    Constrained decoding needs it, and a model that adds fields of its own is then found out. An
    object without a list of properties stays open: it is a table of free keys.
    """
    return {key: _closed_below(key, value) for key, value in schema.items()} | _closing(schema)


def _closing(schema: Mapping[str, Any]) -> dict[str, bool]:
    says = "additionalProperties" in schema or "unevaluatedProperties" in schema
    if "properties" not in schema or says or any(key in schema for key in _SHARED):
        return {}
    return {"additionalProperties": False}


def _closed_below(key: str, value: Any) -> Any:
    if key in _ONE and isinstance(value, dict):
        return closed(value)
    if key in _LISTS and isinstance(value, list):
        return [closed(one) if isinstance(one, dict) else one for one in value]
    if key in _TABLES and isinstance(value, dict):
        return {name: closed(one) if isinstance(one, dict) else one for name, one in value.items()}
    return value


def structured(text: str, schema: Mapping[str, Any]) -> tuple[Any, int]:
    """Read a model's answer and hold it against the schema.

    Returns:
        The value, hidden characters taken out of its texts, and how many those were.

    Raises:
        CheckFailed: named "json" or "schema".
    """
    try:
        read = parsed(text)
        if not is_shallow(read, _DEEPEST_ANSWER):
            raise CheckFailed("json", f"the answer is nested deeper than {_DEEPEST_ANSWER}")
        value, removed = _cleaned(read)
    except NotStrict as error:  # keys that differ by what shows nothing
        raise _not_json(str(error)) from None
    if problems := _problems(value, schema):
        raise CheckFailed("schema", f"the answer does not fit the schema: {'; '.join(problems)}")
    return value, removed


def parsed(text: str) -> Any:
    """Read JSON, alone or in the one fence of a text.

    Raises:
        CheckFailed: named "json".
    """
    fences = fences_of(text)
    source = (fences[0].code if len(fences) == 1 and fences[0].closed else text).strip()
    try:
        return parse_json(source)
    except json.JSONDecodeError as error:
        rest = source[error.pos :].strip()
        cut = not rest or error.msg.startswith("Unterminated string")
        why = "it breaks off" if cut else f"{error.msg} at line {error.lineno}"
    except NotStrict as error:
        why = str(error)
    raise _not_json(why)


def _not_json(why: str) -> CheckFailed:
    return CheckFailed("json", f"the answer is not valid JSON: {why}")


def is_shallow(value: Any, deepest: int) -> bool:
    """Tell whether lists and objects are nested no deeper than so many levels."""
    level = [value]
    for _ in range(deepest + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def compact(value: Any) -> str:
    """Write a value as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _cleaned(value: Any) -> tuple[Any, int]:
    r"""Clean texts and keys: `\u202e` in JSON hides as well as the sign itself."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        items = [_cleaned(one) for one in value]
        return [one for one, _ in items], sum(count for _, count in items)
    if isinstance(value, dict):
        pairs = [(clean(key), _cleaned(one)) for key, one in value.items()]
        cleaned = as_object((key, one) for (key, _), (one, _) in pairs)
        return cleaned, sum(first + second for (_, first), (_, second) in pairs)
    return value, 0


def texts_of(value: Any) -> Iterator[str]:
    """Yield every key and every text of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts_of(one)


def _problems(value: Any, schema: Mapping[str, Any]) -> list[str]:
    from spadework.checks import schema_validation  # noqa: PLC0415 - heavy

    try:
        errors = schema_validation.problems(value, schema)
    except RecursionError:
        return ["the schema has no end"]
    except (
        schema_validation.ValidationTooCostly,
        schema_validation.Unresolvable,
        schema_validation.UnsupportedPattern,
    ) as error:
        return [_short(str(error))]
    errors.sort(key=lambda error: (len(error.path), error.json_path))
    found = [describe_violation(error) for error in errors[:_MOST_PROBLEMS]]
    more = len(errors) - len(found)
    return found + ([f"and {more} more"] if more else [])
