"""Placeholder until the splitter is merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from journeyman.inputs.sources import Source


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a source."""

    text: str
    first_line: int
    last_line: int
    path: str
    title: str = ""


def split(source: Source, size: int, count: Callable[[str], int]) -> tuple[Part, ...]:
    """By lines."""
    parts: list[Part] = []
    lines = source.text.splitlines(keepends=True)
    number, taken, first = source.first_line, "", source.first_line
    for line in lines:
        if taken and count(taken + line) > size:
            parts.append(Part(taken, first, number - 1, source.path))
            taken, first = "", number
        taken += line
        number += 1
    if taken:
        parts.append(Part(taken, first, number - 1, source.path))
    return tuple(parts)
