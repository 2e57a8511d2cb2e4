"""How an answer breaks its schema, in our words: what the model wrote is quoted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spadework.util.untrusted_text import display_key, one_line, quote_foreign

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_LONGEST_RULE = 80
_MOST_KEYS = 3
_RULES = {
    "type": "the type must be {rule}",
    "enum": "the value must be one of {rule}",
    "const": "the value must be {rule}",
    "required": "it must have the keys {rule}",
    "minimum": "the number must be {rule} or more",
    "maximum": "the number must be {rule} or less",
    "minLength": "the text must have {rule} characters or more",
    "maxLength": "the text must have {rule} characters or fewer",
    "minItems": "the list must have {rule} items or more",
    "maxItems": "the list must have {rule} items or fewer",
    "pattern": "the text must match the pattern {rule}",
    "format": "the text must have the format {rule}",
}
_FALSE_SCHEMAS = frozenset({"additionalProperties", "unevaluatedProperties"})


def describe_violation(error: ValidationError) -> str:
    """Say where and how, in a line: `$.lines: the type must be "integer"; the model wrote: …`."""
    path = "$" + "".join(_step(step) for step in error.absolute_path)
    return f"{path}: {_describe(error)}"


def _step(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{display_key(step)}"


def _describe(error: ValidationError) -> str:
    if error.validator in _FALSE_SCHEMAS and isinstance(error.instance, dict):
        return _describe_extra(error)
    if error.validator == "required" and isinstance(error.instance, dict):
        wanted: Any = error.validator_value
        return (
            f"it must have the keys {_rule([key for key in wanted if key not in error.instance])}"
        )
    rule = _rule(error.validator_value)
    known = _RULES.get(str(error.validator), f"it must follow {error.validator}: {{rule}}")
    return f"{known.format(rule=rule)}; the model wrote: {quote_foreign(_written(error.instance))}"


def _describe_extra(error: ValidationError) -> str:
    """Name the keys that the schema does not have; those that it has are left out."""
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    extra = [key for key in instance if key not in known]
    shown = ", ".join(quote_foreign(key, _LONGEST_RULE // 2) for key in extra[:_MOST_KEYS])
    more = f" and {len(extra) - _MOST_KEYS} more" if len(extra) > _MOST_KEYS else ""
    return f"it has keys that are not allowed; the model wrote: {shown}{more}"


def _rule(value: Any) -> str:
    """The schema's own words: the caller's."""
    return one_line(json.dumps(value, ensure_ascii=False), _LONGEST_RULE)


def _written(instance: Any) -> str:
    return instance if isinstance(instance, str) else json.dumps(instance, ensure_ascii=False)
