"""The form that an answer shall have: prose, one of some labels, or JSON by a schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.checks.labels import check_labels, label_schema
from spadework.checks.structured_output import check_schema, closed, compact
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.config.models import ToolConfig
    from spadework.engine.job import Job


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """One of labels, or JSON by a schema; prose where both are empty."""

    labels: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    @property
    def is_prose(self) -> bool:
        """Whether the answer is free text."""
        return not self.labels and self.schema is None

    @property
    def constraint(self) -> Mapping[str, Any] | None:
        """The JSON Schema that decoding is held to, where the backend can."""
        return label_schema(self.labels) if self.labels else self.schema

    @property
    def instruction(self) -> str:
        """What the model is told of it."""
        if self.labels:
            return f"Answer with exactly one of: {', '.join(self.labels)}."
        if self.schema is not None:
            return f"Answer with JSON by this schema and nothing else:\n{compact(self.schema)}"
        return ""


def response_format_of(tool: ToolConfig, job: Job) -> ResponseFormat:
    """Return the form that a job asks for, else the tool's own.

    Raises:
        ArgumentError: its labels or its schema cannot be used.
    """
    if job.labels and job.schema is not None:
        hint = "for labels with more around them, give a schema with an enum"
        raise ArgumentError("schema and labels exclude each other", hint=hint)
    if job.schema is not None:
        check_schema(job.schema)
        return ResponseFormat(schema=closed(job.schema))
    if job.labels:
        check_labels(job.labels)
        return ResponseFormat(job.labels)
    return ResponseFormat(tuple(tool.labels))
