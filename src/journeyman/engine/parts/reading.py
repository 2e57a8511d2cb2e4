"""Reads material part by part, and brings the notes together as a tree until they fit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from journeyman.engine.parts.plan import make_parts
from journeyman.engine.parts.prompts import NOTHING, notes_prompt, part_prompt
from journeyman.errors import ContextExceeded
from journeyman.inputs.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from journeyman.engine.parts.plan import Plan, Sizes
    from journeyman.inputs.splitting import Part

    Group = tuple[Part, ...]

_AT_ONCE = 16
_LEAST_SIZE = 64
"""Tokens: a part that is still too large below this is no matter of its size."""


class Ask(Protocol):
    """Asks a model for notes; waits for its slot, checks what comes."""

    async def __call__(
        self, prompt: str, sources: tuple[Source, ...], notes: str, max_tokens: int
    ) -> str:
        """Return the notes.

        Raises:
            ContextExceeded: it does not fit after all.
            PartFailed: no model gave notes that pass the checks.
        """
        ...


@dataclass(slots=True)
class Reader:
    """Reads the parts of a plan.

    Args:
        plan: the parts and their sizes.
        task: the whole task, in words.
        sources: the material, for the lines and the trust of each part.
        count: counts the tokens of a text as it will stand in the prompt.
        ask: asks a model.
        tell: is told how many steps are done; must not block.
    """

    plan: Plan
    task: str
    sources: dict[str, Source]
    count: Callable[[str], int]
    ask: Ask
    tell: Callable[[int], None]
    steps: int = 0
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def read(self, room: int) -> str:
        """Read every part, and merge the notes until they take at most `room` tokens."""
        parts = self.plan.parts
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._notes_on(part, number))
                for number, part in enumerate(parts, 1)
            ]
        notes = [text for task in tasks for text in task.result()]
        while len(notes) > 1 and self.count(_together(notes)) > room:
            notes = await self._merged(notes, self.plan.sizes)
        return _together(notes)

    async def _notes_on(self, group: Group, number: int) -> list[str]:
        """Take notes on one part; halve it where it does not fit after all."""
        try:
            async with self._limit:
                text = await self.ask(
                    part_prompt(number, len(self.plan.parts), self.task),
                    tuple(map(self._source, group)),
                    "",
                    self.plan.sizes.notes,
                )
        except ContextExceeded:
            halves = self._halved(group)
            if len(halves) < 2:  # noqa: PLR2004 - it was not halved
                raise
            taken = [await self._notes_on(half, number) for half in halves]
            return [text for texts in taken for text in texts]
        self._done()
        return [] if _is_nothing(text) else [text]

    def _halved(self, group: Group) -> list[Group]:
        if len(group) > 1:
            middle = len(group) // 2
            return [group[:middle], group[middle:]]
        size = self.count(group[0].text) // 2
        if size < _LEAST_SIZE:
            return [group]
        return list(make_parts([self._source(group[0])], size, self.count))

    def _source(self, part: Part) -> Source:
        """The lines of a part as a source of their own, which keeps its numbers."""
        whole = self.sources[part.path]
        return replace(whole, text=part.text, first_line=part.first_line, last_line=part.last_line)

    async def _merged(self, notes: Sequence[str], sizes: Sizes) -> list[str]:
        """Merge neighbours, as many as fit into one call: at least two, so that it comes to an end."""
        groups: list[list[str]] = []
        for text in notes:
            last = groups[-1] if groups else None
            fits = last is not None and self.count(_together([*last, text])) <= sizes.material
            if last is not None and (fits or len(last) < 2):  # noqa: PLR2004 - see above
                last.append(text)
            else:
                groups.append([text])

        async def merge(group: list[str]) -> str:
            if len(group) == 1:
                return group[0]
            async with self._limit:
                merged = await self.ask(notes_prompt(self.task), (), _together(group), sizes.notes)
            self._done()
            return merged

        async with asyncio.TaskGroup() as running:
            tasks = [running.create_task(merge(group)) for group in groups]
        return [task.result() for task in tasks]

    def _done(self) -> None:
        self.steps += 1
        self.tell(self.steps)


def _together(notes: Sequence[str]) -> str:
    return "\n\n".join(notes)


def _is_nothing(text: str) -> bool:
    return text.strip(" \n.*\"'`").upper() == NOTHING
