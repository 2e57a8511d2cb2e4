"""The prompts of map-reduce: for one part, for merging notes, and for the final answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.backends.base import Message
from spadework.engine.prompt_messages import CITING, DATA_NOTICE, fenced, material_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.references.material import Source

NOTHING = "NOTHING"
"""What a model says of a part that has nothing to do with the task."""

SYSTEM = (
    "You take notes for somebody who cannot see the material. Be brief, and add nothing of your "
    "own."
)
_PART = (
    "This is part {number} of {count} of a larger material. Do not do the task below yet. Write "
    "down, as briefly as you can, everything in this part that matters for it, each point with its "
    "path:line. If there is nothing, answer only {nothing}.\n\nThe task, for later:\n{task}"
)
_NOTES = (
    "These notes were taken from parts of a larger material, for the task below. Do not do the "
    "task yet. Merge them into one list that is shorter: leave out what is said twice and what "
    "does not matter for the task, and keep each point's path:line as it is.\n\n"
    "The task, for later:\n{task}"
)
_END = (
    "The notes above were taken from all {count} parts of a material that is too large to be read "
    "at once. Do the task from them alone. Where you cite, use the path:line of the notes.\n\n"
    "{task}"
)


def part_messages(
    number: int, count: int, task: str, sources: Sequence[Source]
) -> tuple[Message, ...]:
    """Ask for notes on one part."""
    asked = _PART.format(number=number, count=count, nothing=NOTHING, task=task)
    blocks = material_blocks(sources, {})
    return _chat(SYSTEM, [f"{DATA_NOTICE} {CITING}", *blocks, asked])


def notes_messages(task: str, notes: str) -> tuple[Message, ...]:
    """Ask for notes to be merged."""
    return _chat(SYSTEM, [DATA_NOTICE, fenced("Notes:", notes), _NOTES.format(task=task)])


def end_messages(system: str, count: int, task: str, notes: str) -> tuple[Message, ...]:
    """Ask for the task itself to be done, from notes; `task` has the form that is wanted in it."""
    asked = _END.format(count=count, task=task)
    return _chat(system, [DATA_NOTICE, fenced("Notes:", notes), asked])


def _chat(system: str, paragraphs: Sequence[str]) -> tuple[Message, ...]:
    user = Message("user", "\n\n".join(paragraphs))
    return (Message("system", system), user) if system else (user,)
