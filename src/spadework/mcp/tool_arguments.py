"""Validates a call's arguments against the tool's schema; an error shows a valid call."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from spadework.errors import ArgumentError
from spadework.mcp.tool_descriptions import example_call, input_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError

    from spadework.engine.tools import Tool

_LONGEST_NAME = 64  # characters; a longer one is not misspelt
_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "array": "a list",
    "object": "an object",
}


def check_arguments(tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a call of a tool; see `check_against`."""
    check_against(tool.name, input_schema(tool), example_call(tool), arguments)


def check_against(
    name: str, schema: Mapping[str, Any], right: Mapping[str, Any], arguments: Mapping[str, Any]
) -> None:
    """Check the arguments of a call against a schema.

    Args:
        name: the tool's name.
        schema: the JSON Schema of its arguments.
        right: arguments that are right, for the hint.
        arguments: those of the call.

    Raises:
        ArgumentError: one line that names the first wrong argument, and a right call as the hint.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - heavy

    validator = Draft202012Validator(dict(schema))
    errors = sorted(validator.iter_errors(dict(arguments)), key=_by_weight)
    if not errors:
        return
    example = json.dumps(right, ensure_ascii=False)
    raise ArgumentError(
        f"{name}: {_in_words(errors[0], schema, arguments)}", hint=f"a right call is {example}"
    )


def _by_weight(error: ValidationError) -> tuple[int, str]:
    """Order errors: a wrong name first, since a missing argument is often one misspelt."""
    order = {"additionalProperties": 0, "required": 1}
    return order.get(str(error.validator), 2), error.json_path


def _in_words(
    error: ValidationError, schema: Mapping[str, Any], arguments: Mapping[str, Any]
) -> str:
    if error.validator == "required":
        missing = [name for name in schema["required"] if name not in arguments]
        return f"the argument {missing[0]!r} is missing"
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        unknown = next(name for name in arguments if name not in known)
        near = difflib.get_close_matches(unknown[:_LONGEST_NAME], known, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}"
        return f"unknown argument {unknown!r}{meant}"
    where = error.json_path.removeprefix("$.")
    if error.validator == "type":
        wanted = _TYPES.get(str(error.validator_value), str(error.validator_value))
        return f"the argument {where!r} takes {wanted}, got {_short(error.instance)}"
    return f"the argument {where!r} is wrong: {error.message}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:40] + "…"  # noqa: PLR2004 - fits in the one line
