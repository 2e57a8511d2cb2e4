"""The steps of a map-reduce job: its plan, then requests that run like any other delegation."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.engine.attempt_trace import AttemptTrace
from spadework.engine.map_reduce.chunk_plan import (
    ChunkPlan,
    counter,
    density,
    estimate_seconds,
    make_parts,
    share_out,
)
from spadework.engine.map_reduce.chunk_reader import part_messages
from spadework.engine.model_chain import ModelChain
from spadework.engine.thread_pools import READING
from spadework.errors import ContextExceeded
from spadework.references.cancellation import Cancellation, OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spadework.backends.base import Message, TokenCount
    from spadework.engine.delegation_context import DelegationContext
    from spadework.engine.job import Outcome
    from spadework.engine.map_reduce.chunk_reader import SplitSources
    from spadework.engine.prompt_messages import PreparedJob
    from spadework.references.material import Source
    from spadework.references.splitting import Part

_SAMPLES = 8
_SAMPLE_CHARACTERS = 6000


@dataclass(frozen=True, slots=True)
class MapReduceSteps:
    """Asks the models for one job.

    Args:
        chain: the question that did not fit; its trace goes on with the last step.
    """

    chain: ModelChain

    async def count(self, model: str, chats: Sequence[tuple[Message, ...]]) -> list[TokenCount]:
        """Count the tokens of chats, with a slot: it may load the model.

        Raises:
            BackendError: the backend failed to count, or no slot is free.
        """
        trace, context = self.chain.trace, self.chain.trace.context
        backend, name = context.services.catalog.find(model)
        await context.permitted_model(model)
        request = trace.slot_request([model])
        async with context.services.queue.slot(request, context.report_position):
            return [await backend.count_tokens(name, chat) for chat in chats]

    async def map_step(self, models: Sequence[str], work: PreparedJob, max_tokens: int) -> Outcome:
        """Ask for notes, in the queue behind others' questions and without a judge.

        Args:
            models: the models that may be asked, in order.
            work: a part of the material, or notes to be merged.
            max_tokens: how long the notes may be.
        """
        trace = self.chain.trace
        map_trace = AttemptTrace(
            trace.context.for_map_step(max_tokens), trace.patience.for_a_part(), trace.patterns
        )
        return await ModelChain(map_trace, self.chain.bytes_read).run(list(models), work)

    async def reduce_step(self, models: Sequence[str], work: PreparedJob) -> Outcome:
        """Ask for the answer; that the material did not fit is not a failure any more."""
        trace = self.chain.trace
        trace.attempts = [one for one in trace.attempts if one.code != ContextExceeded.code]
        trace.prefix_digest = ""
        return await self.chain.run(list(models), work)


async def make_plan(
    steps: MapReduceSteps,
    work: PreparedJob,
    model: str,
    window: int,
    sources: Sequence[tuple[str, Source]],
) -> tuple[ChunkPlan | None, Callable[[str], int], int]:
    """Measure samples with the model's own tokenizer, and split."""
    context, task = steps.chain.trace.context, work.requirements.given.task
    samples = _samples([source for _, source in sources])
    around = part_messages(1, 1, task, ())
    chats = [around, *(part_messages(1, 1, task, (sample,)) for sample in samples)]
    first, *counts = await steps.count(model, chats)
    sizes = share_out(window, first.tokens)
    if sizes is None or not samples:
        return None, len, 0
    measured = [
        (one.tokens - first.tokens, len(sample.text))
        for one, sample in zip(counts, samples, strict=True)
    ]
    count = counter(density(measured, exact=first.exact))
    try:
        parts = await splitter(context)([source for _, source in sources], sizes.material, count)
    except OutOfTime:
        return None, len, 0
    size = sum(source.bytes for _, source in sources)
    plan = ChunkPlan(model, sizes, len(sources), size, parts)
    if pace := context.services.pace(model):
        slots = context.services.queue.slots_of(model)
        tokens = sum(count(source.text) for _, source in sources)
        seconds = estimate_seconds(tokens, len(parts), sizes, slots, pace)
        plan = replace(plan, seconds=seconds)
    return plan, count, first.tokens


def splitter(context: DelegationContext) -> SplitSources:
    """Return what splits as `make_parts` does, in a thread: a grammar may take seconds."""
    client = context.session.client or context.session.name
    deadline = time.monotonic() + context.seconds_left()

    async def split(
        sources: Sequence[Source], size: int, count: Callable[[str], int]
    ) -> tuple[tuple[Part, ...], ...]:
        return await READING.run(Cancellation(client, deadline), make_parts, sources, size, count)

    return split


def _samples(sources: Sequence[Source]) -> list[Source]:
    """The beginnings of some of the sources, spread over all of them."""
    step = max(1, len(sources) // _SAMPLES)
    chosen = sources[::step][:_SAMPLES]
    cut = (source.text[:_SAMPLE_CHARACTERS] for source in chosen)
    return [
        replace(source, text=text, last_line=source.first_line + text.count("\n"))
        for source, text in zip(chosen, cut, strict=True)
    ]
