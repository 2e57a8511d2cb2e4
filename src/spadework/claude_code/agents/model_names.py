"""The names of models that the client understands. Measured on version 2.1.330."""

from __future__ import annotations

import re

FAMILIES = ("haiku", "sonnet", "opus", "fable")
ALIASES = (*FAMILIES, "best", "opusplan", "inherit")
LONG_CONTEXT = "[1m]"

_FULL_ID = re.compile(
    r"(?:(?:us-gov|us|eu|apac|jp|au|global)\.)?(?:anthropic\.)?claude-[a-z0-9][\w.:@-]*"
    r"|arn:aws:bedrock:\S+"
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._:/@\[\]-]*")


def is_known(model: str) -> bool:
    """Whether the client maps it to a Claude model; otherwise it goes to the API unchanged."""
    name = without_long_context(model).lower()
    return name in ALIASES or _FULL_ID.fullmatch(name) is not None


def is_writable(model: str) -> bool:
    """Whether it may be written to a frontmatter: one word that every YAML parser reads alike."""
    return is_known(model) and _PLAIN.fullmatch(model) is not None


def has_long_context(model: str) -> bool:
    """Whether it asks for the window of a million tokens."""
    return model.lower().endswith(LONG_CONTEXT)


def without_long_context(model: str) -> str:
    """The name without `[1m]`."""
    return model[: -len(LONG_CONTEXT)] if has_long_context(model) else model


def family(model: str) -> str:
    """The family of a model's name: `haiku`, …; empty where none is in it."""
    name = model.lower()
    if without_long_context(name) in {"best", "opusplan"}:
        return "opus"
    return next((one for one in FAMILIES if one in name), "")
