"""What will be done with material that fits no window, known before the first call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.inputs.splitting import split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from journeyman.inputs.sources import Source
    from journeyman.inputs.splitting import Part
    from journeyman.ledger import Pace

_SHARE_OF_NOTES = 6
"""Notes on a part take at most one sixth of the window, so that several fit into the next one."""
_LEAST_NOTES = 96
_LEAST_PART = 128
_MARGIN = 1.08
"""The density of a text is measured on samples, so a part stays this much below what fits."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How a window is shared out, in tokens: the material of a call, and the notes that come."""

    material: int
    notes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts and who reads them; `seconds` is None where no pace of the model is known."""

    model: str
    sizes: Sizes
    files: int
    bytes: int
    parts: tuple[tuple[Part, ...], ...]
    seconds: float | None = None

    def __str__(self) -> str:
        files = f"{self.files} file{'' if self.files == 1 else 's'}"
        parts = f"{len(self.parts)} part{'' if len(self.parts) == 1 else 's'}"
        about = f", about {self.seconds:.0f} s" if self.seconds is not None else ""
        return f"{files}, {kilobytes(self.bytes)}, {parts}{about} on {self.model}"


def share_out(window: int, around: int) -> Sizes | None:
    """Share a window out.

    Args:
        window: the window in tokens, prompt and reply together.
        around: what the prompt takes around the material, in tokens.

    Returns:
        None where nothing worth a call would be left for the material.
    """
    notes = max(_LEAST_NOTES, window // _SHARE_OF_NOTES)
    material = window - around - notes
    return Sizes(material, notes) if material >= max(_LEAST_PART, 2 * notes) else None


def make_parts(
    sources: Sequence[Source], size: int, count: Callable[[str], int]
) -> tuple[tuple[Part, ...], ...]:
    """Split the sources, and put neighbours together that fit into one call.

    Args:
        sources: the material in order.
        size: tokens of material in one call.
        count: counts the tokens of a text as it will stand in the prompt.
    """
    room = int(size / _MARGIN)
    groups: list[tuple[Part, ...]] = []
    group: list[Part] = []
    taken = 0
    for part in (part for source in sources for part in split(source, room, count)):
        tokens = count(part.text)
        if group and taken + tokens > room:
            groups.append(tuple(group))
            group, taken = [], 0
        group.append(part)
        taken += tokens
    if group:
        groups.append(tuple(group))
    return tuple(groups)


def estimate_seconds(plan_tokens: int, notes: int, parts: int, slots: int, pace: Pace) -> float:
    """Guess how long reading all parts takes.

    Args:
        plan_tokens: tokens of all the material.
        notes: tokens that are written for each part, at most.
        parts: how many there are.
        slots: how many are read at once.
        pace: what the model did so far.
    """
    reading = plan_tokens / pace.read
    # Notes are seldom as long as they may be, and are read once more in the end.
    writing = parts * notes / 2 / pace.written
    return (reading + writing) / max(1, min(slots, parts)) + math.log2(parts + 1)


def kilobytes(size: int) -> str:
    """Write a size for a person."""
    return f"{size / 1000:.0f} KB" if size >= 1000 else f"{size} bytes"  # noqa: PLR2004 - a kilobyte
