"""The arguments of a call, each declared once: JSON Schema, parsing and `Job` follow from it.

A field of a dataclass here is an argument: its name, type and default are the field's, its metadata
says which tools show it and what Claude reads of it. Every byte of that costs tokens in every
session. To add one, add a field and use it in the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_type_hints

ONE, EACH = "one", "each"
"""Who shows an argument: the tools that ask once, and `ask_each`."""

_STRING = {"type": "string"}
_TYPES: dict[Any, dict[str, Any]] = {
    str: _STRING,
    int | None: {"type": "integer"},
    bool: {"type": "boolean"},
    tuple[str, ...]: {"type": "array", "items": _STRING},
    Mapping[str, Any] | None: {"type": "object"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallArguments:
    """What a call may bring besides the tool's own arguments.

    Args:
        files: references.
        max_tokens: the longest answer, None for the tool's own limit.
        schema: a JSON Schema; the answer is JSON that follows it.
        labels: the answer is one of these, instead of the tool's own.
    """

    files: tuple[str, ...] = field(
        default=(),
        metadata={
            ONE: "Paths, folders, globs, path:START-END, git:diff [--staged], git:show REV or "
            "git:log -20 in the project. Read here, they never enter your context.",
            EACH: "Paths, folders, globs: each file is an item.",
        },
    )
    max_tokens: int | None = field(
        default=None, metadata={ONE: "Longest answer, in tokens.", EACH: "", "minimum": 1}
    )
    schema: Mapping[str, Any] | None = field(
        default=None,
        metadata={
            ONE: "JSON Schema of the answer.",
            EACH: "Each answer is JSON of this schema.",
        },
    )
    labels: tuple[str, ...] = field(
        default=(),
        metadata={
            ONE: "The answer is one of these.",
            EACH: "Each answer is one of these.",
        },
    )

    def shared(self) -> dict[str, Any]:
        """These arguments alone, by name."""
        return {one.name: getattr(self, one.name) for one in fields(CallArguments)}


SHARED_ARGUMENTS = tuple(one.name for one in fields(CallArguments))


def properties_of(kind: type[CallArguments], shown_by: str) -> dict[str, dict[str, Any]]:
    """Build the JSON Schema of each argument that a dataclass declares.

    Args:
        kind: the dataclass.
        shown_by: ONE or EACH; what that does not show is left out.
    """
    types = get_type_hints(kind)
    properties = {}
    for one in fields(kind):
        if shown_by in one.metadata:
            properties[one.name] = dict(_TYPES[types[one.name]])
            if "minimum" in one.metadata:
                properties[one.name]["minimum"] = one.metadata["minimum"]
            if description := one.metadata[shown_by]:
                properties[one.name]["description"] = description
    return properties


def required_by(kind: type[CallArguments]) -> list[str]:
    """Name the arguments of a dataclass that have no default."""
    defaults = ((one.name, one.default, one.default_factory) for one in fields(kind))
    return [name for name, *default in defaults if default == [MISSING, MISSING]]
