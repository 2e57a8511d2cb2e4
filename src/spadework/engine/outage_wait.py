"""Waits for servers that are away, as long as the job's patience lasts."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from spadework.engine.job import Progress
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.engine.attempt_trace import AttemptTrace
    from spadework.engine.delegation_context import DelegationContext


async def outlast(trace: AttemptTrace, names: Sequence[str]) -> list[str]:
    """Wait for those of these that are away for a while; name them once one is back.

    Args:
        trace: its failed attempts on them are forgotten once one is back.
        names: models, or backends whose models could not be listed.
    """
    context, patience = trace.context, trace.patience
    queue = context.services.queue
    away = {one.model for one in trace.attempts if one.temporary} & set(names)
    waited_for = [name for name in names if name in away]
    until = min(patience.until, context.deadline)
    if not patience.is_batch or not waited_for or not _are_held(context, waited_for):
        return []

    def tell(name: str, why: str) -> None:
        left = max(0.0, until - time.monotonic())
        said = f"waiting for {display_name(name)}, at most {left:.0f} s more: {why}"
        context.listener.progress(Progress("away", said))
        context.listener.away(said)

    if not all(queue.refusal_of(name) for name in waited_for):
        left = until - time.monotonic()
        if left <= 0:
            return []
        tell(waited_for[0], trace.attempts[-1].message)
        await asyncio.sleep(min(left, patience.next_pause()))
    is_back = await queue.wait_for_any(waited_for, until, tell)
    context.listener.away("")
    if not is_back or not _are_held(context, waited_for):
        return []
    trace.attempts = [one for one in trace.attempts if one.model not in away]
    return waited_for


def _are_held(context: DelegationContext, names: Sequence[str]) -> bool:
    """Tell whether the config still means these servers: it may have changed while we waited."""
    services = context.services
    backends = (services.catalog.backends.get(name.partition("/")[0]) for name in names)
    return all(backend is not None and services.queue.holds(backend) for backend in backends)
