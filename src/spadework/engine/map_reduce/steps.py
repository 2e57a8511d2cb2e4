"""The steps of a map-reduce job; each runs like any other delegation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.engine.attempt_trace import AttemptTrace
from spadework.engine.model_chain import ModelChain
from spadework.errors import ContextExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.backends.base import Message, TokenCount
    from spadework.engine.job import Outcome
    from spadework.engine.prepared_job import PreparedJob


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
