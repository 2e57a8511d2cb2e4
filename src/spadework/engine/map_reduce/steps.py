"""The steps of a map-reduce job; each runs like any other delegation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.engine.job import Listener
from spadework.errors import ContextExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.backends.base import Message, TokenCount
    from spadework.engine.delegation import Delegation
    from spadework.engine.job import Outcome
    from spadework.engine.prepared_job import PreparedJob


@dataclass(frozen=True, slots=True)
class MapReduceSteps:
    """Asks the models for one job."""

    whole: Delegation

    async def count(self, model: str, chats: Sequence[tuple[Message, ...]]) -> list[TokenCount]:
        """Count the tokens of chats, with a slot: it may load the model.

        Raises:
            BackendError: the backend failed to count, or no slot is free.
        """
        whole = self.whole
        backend, name = whole.catalog.find(model)
        await whole.cleared_model(model)
        async with whole.queue.slot(whole.request([model]), whole.tell_place):
            return [await backend.count_tokens(name, chat) for chat in chats]

    async def ask_aside(self, models: Sequence[str], work: PreparedJob, max_tokens: int) -> Outcome:
        """Ask for notes; that stands back behind others' questions, and is not judged."""
        whole = self.whole
        config = whole.tool.config
        plain = {"least_confidence": 0.0, "verify": "none" if config.verify == "none" else "checks"}
        aside = replace(
            whole,
            job=replace(whole.job, kind="batch", max_tokens=max_tokens),
            tool=replace(whole.tool, config=config.model_copy(update=plain)),
            listener=Listener(),
            tries=[],
            ticket=uuid.uuid4().hex,
            patience=whole.patience.for_a_part(),
            prefix="",
            too_small={},
        )
        return await aside.answered(list(models), work)

    async def ask_in_the_end(self, models: Sequence[str], work: PreparedJob) -> Outcome:
        """Ask for the answer; material that fits no window no longer counts as a failure."""
        whole = self.whole
        whole.tries = [one for one in whole.tries if one.kind != ContextExceeded.__name__]
        whole.prefix = ""
        return await whole.answered(list(models), work)
