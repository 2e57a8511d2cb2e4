"""The `--schema` option: the JSON Schema that an answer must match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spadework.errors import ArgumentError


def read_schema(given: str) -> dict[str, Any]:
    """Read a schema that is given itself, or the file that holds it.

    Raises:
        ArgumentError: it cannot be read, or is not a JSON Schema.
    """
    text, where = given, "--schema"
    if not given.lstrip().startswith("{"):
        where = f"--schema {given}"
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not valid UTF-8"
            hint = "a file, or the JSON Schema itself, which begins with {"
            raise ArgumentError(f"{where}: cannot be read: {reason}", hint=hint) from None
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{where} is not valid JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ArgumentError(f"{where} is not a JSON Schema", hint="expected an object: {…}")
    return schema
