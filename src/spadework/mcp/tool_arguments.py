"""The arguments of a call: their JSON Schema, and the parsing; an error shows a valid call."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from spadework.config.call_arguments import ONE, SHARED_ARGUMENTS, CallArguments, properties_of
from spadework.config.models import OPTIONAL_MARK
from spadework.engine.job import Job
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.engine.tools import Tool

_LONGEST_NAME = 64  # characters; a longer one is not misspelt
_LONGEST_VALUE = 40  # characters that are shown
_TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def object_schema(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Build the JSON Schema of a tool's arguments."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def input_schema(tool: Tool) -> dict[str, Any]:
    """Build the JSON Schema of a tool's arguments: its own, and those of every tool."""
    own = {
        name.removesuffix(OPTIONAL_MARK): {"type": "string", "description": text}
        for name, text in tool.config.parameters.items()
    }
    required = [name for name in tool.config.parameters if not name.endswith(OPTIONAL_MARK)]
    return object_schema(own | properties_of(CallArguments, ONE), required)


def parse_call(tool: Tool, arguments: Mapping[str, Any]) -> Job:
    """Make a job of the arguments of a call.

    Raises:
        ArgumentError: as `parse_arguments` has it.
    """
    schema = input_schema(tool)
    example = dict.fromkeys(schema["required"], "…") | {"files": ["docs/*.md"], "max_tokens": 300}
    parsed = parse_arguments(tool.name, schema, example, arguments)
    shared = {name: parsed.pop(name) for name in SHARED_ARGUMENTS if name in parsed}
    return Job(tool=tool.name, arguments=parsed, **shared)


def parse_arguments(
    name: str, schema: Mapping[str, Any], example: Mapping[str, Any], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Check arguments against the schema of their tool, and make lists tuples.

    Args:
        name: the tool's name.
        schema: as `object_schema` makes it.
        example: valid arguments, for the hint.
        arguments: those of the call.

    Raises:
        ArgumentError: one line that names the first wrong argument, and a valid call as the hint.
    """
    try:
        return _parse_object(schema, arguments)
    except ArgumentError as error:
        shown = json.dumps(example, ensure_ascii=False)
        raise ArgumentError(f"{name}: {error}", hint=f"a valid call: {shown}") from None


def _parse_object(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema["properties"]
    # A wrong name first, since a missing argument is often one misspelt.
    for name in arguments:
        if name not in properties:
            raise ArgumentError(f"unknown argument {name!r}{_meant(name, [*properties])}")
    for name in schema["required"]:
        if name not in arguments:
            raise ArgumentError(f"missing argument {name!r}")
    return {name: _parse(value, properties[name], name) for name, value in arguments.items()}


def _meant(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given[:_LONGEST_NAME], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"


def _parse(value: Any, schema: Mapping[str, Any], where: str) -> Any:
    wanted = schema["type"]
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)  # 300.0 is an integer of JSON Schema
    got = _TYPES[type(value)]
    if got != wanted:
        shown = "" if value is None else f": {_short(value)}"
        raise ArgumentError(f"argument {where!r}: expected {_a(wanted)}, got {_a(got)}{shown}")
    if wanted == "array":
        items = enumerate(value)
        return tuple(_parse(one, schema["items"], f"{where}[{place}]") for place, one in items)
    if "minimum" in schema and value < (least := schema["minimum"]):
        raise ArgumentError(
            f"argument {where!r}: expected {_a(wanted)} of at least {least}, got {value}"
        )
    return value


def _a(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
