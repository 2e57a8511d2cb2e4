"""Patterns of model names: `koala/*`. The star is the only sign with a meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def matches(model_id: str, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns means this model.

    It takes time in proportion to the lengths, whatever the pattern.
    """
    return any(_matches(model_id, pattern) for pattern in patterns)


def _matches(text: str, pattern: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *inner, last = rest
    if not text.startswith(first):
        return False
    place = len(first)
    for part in inner:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(text) - place >= len(last) and text.endswith(last)
