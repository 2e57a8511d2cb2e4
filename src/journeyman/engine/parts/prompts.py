"""What a model is asked about one part, about notes, and in the end."""

from __future__ import annotations

NOTHING = "NOTHING"
"""What a model says of a part that has nothing to do with the task."""

SYSTEM = "You take notes for somebody who cannot see the material. Add nothing of your own."

_PART = """\
This is part {number} of {count} of a larger material. Do not do the task below yet. Write down, as \
briefly as you can, everything in this part that matters for it, each point with its path:line. \
If there is nothing, answer only {nothing}.

The task, for later:
{task}"""

_NOTES = """\
These notes were taken from parts of a larger material, for the task below. Do not do the task yet. \
Merge the notes into one list that is shorter: leave out what is said twice and what does not \
matter for the task, and keep each point's path:line as it is.

The task, for later:
{task}"""

_END = """\
The notes above were taken from all {count} parts of a material that is too large to be read at \
once. Do the task from them alone. Where you cite, use the notes' path:line.

{task}"""


def part_prompt(number: int, count: int, task: str) -> str:
    """Ask for notes on one part."""
    return _PART.format(number=number, count=count, nothing=NOTHING, task=task)


def notes_prompt(task: str) -> str:
    """Ask for notes to be merged."""
    return _NOTES.format(task=task)


def end_prompt(count: int, task: str) -> str:
    """Ask for the task itself to be done, from notes."""
    return _END.format(count=count, task=task)
