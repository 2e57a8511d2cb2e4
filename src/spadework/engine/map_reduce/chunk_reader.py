"""Takes notes on material part by part, and merges the notes as a tree until they fit.

The prompts for a part, for merging and for the final answer are here too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.backends.base import Message
from spadework.engine.prompt_messages import CITING, DATA_NOTICE, fenced, material_blocks
from spadework.errors import ContextExceeded
from spadework.references.cancellation import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence

    from spadework.engine.map_reduce.chunk_plan import ChunkPlan
    from spadework.references.material import Source
    from spadework.references.splitting import Part

    Group = tuple[Part, ...]
    SplitSources = Callable[
        [Sequence[Source], int, Callable[[str], int]], Awaitable[tuple[tuple[Part, ...], ...]]
    ]
    AskForNotes = Callable[[tuple[Message, ...], tuple[Source, ...], str], Awaitable[str]]
    from collections.abc import Sequence

    from spadework.references.material import Source

Found = TypeVar("Found")

_AT_ONCE = 16
_LEAST_SIZE = 64
"""Tokens: a part below this that is still too large fails for another reason than its size."""
_TWO = 2


@dataclass(slots=True)
class Reader:
    """Reads the parts of a plan.

    Args:
        plan: the parts and their sizes.
        task: the whole task, in words.
        sources: the material by its paths.
        count: counts the tokens of a text as the prompt will hold it.
        ask: asks a model for notes on some sources, or on notes (its last argument).
        tell: called with the number of finished steps; must not block.
        split: splits sources into parts of a number of tokens, in a thread.
    """

    plan: ChunkPlan
    task: str
    sources: Mapping[str, Source]
    count: Callable[[str], int]
    ask: AskForNotes
    tell: Callable[[int], None]
    split: SplitSources
    steps: int = 0
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def read(self, room: int) -> str:
        """Read every part, and merge the notes until they take at most `room` tokens."""
        parts = self.plan.parts
        taken = await all_of(self._notes_on(part, number) for number, part in enumerate(parts, 1))
        notes = [text for texts in taken for text in texts]
        while len(notes) > 1 and self.count(_together(notes)) > room:
            notes = await self._merged(notes)
        return _together(notes)

    async def _notes_on(self, group: Group, number: int) -> list[str]:
        """Take notes on one part; halve it where it does not fit after all."""
        sources = tuple(map(self._source, group))
        messages = part_messages(number, len(self.plan.parts), self.task, sources)
        try:
            async with self._limit:
                text = await self.ask(messages, sources, "")
        except ContextExceeded:
            halves = await self._halved(group)
            if len(halves) < _TWO:
                raise
            taken = [await self._notes_on(half, number) for half in halves]
            return [text for texts in taken for text in texts]
        self._done()
        return [] if _is_nothing(text) else [text]

    async def _halved(self, group: Group) -> list[Group]:
        if len(group) > 1:
            middle = len(group) // 2
            return [group[:middle], group[middle:]]
        size = self.count(group[0].text) // 2
        if size < _LEAST_SIZE:
            return [group]
        try:
            return list(await self.split([self._source(group[0])], size, self.count))
        except OutOfTime:
            return [group]

    def _source(self, part: Part) -> Source:
        """The lines of a part as a source of their own, which keeps its numbers."""
        whole = self.sources[part.path]
        return replace(whole, text=part.text, first_line=part.first_line, last_line=part.last_line)

    async def _merged(self, notes: Sequence[str]) -> list[str]:
        """Merge neighbours, as many as fit into a call: at least two, so that this ends."""
        groups: list[list[str]] = []
        for text in notes:
            last = groups[-1] if groups else []
            fits = self.count(_together([*last, text])) <= self.plan.sizes.material
            if last and (fits or len(last) < _TWO):
                last.append(text)
            else:
                groups.append([text])
        return await all_of(map(self._merge, groups))

    async def _merge(self, group: list[str]) -> str:
        if len(group) == 1:
            return group[0]
        notes = _together(group)
        async with self._limit:
            merged = await self.ask(notes_messages(self.task, notes), (), notes)
        self._done()
        return merged

    def _done(self) -> None:
        self.steps += 1
        self.tell(self.steps)


async def all_of(work: Iterable[Coroutine[Any, Any, Found]]) -> list[Found]:
    """Do all of it at once; the first failure ends the rest, and is raised as it is."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _together(notes: Sequence[str]) -> str:
    return "\n\n".join(notes)


def _is_nothing(text: str) -> bool:
    return text.strip(" \n.*\"'`").upper() == NOTHING


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
