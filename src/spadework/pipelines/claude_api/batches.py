"""Calls to Claude in batches, at half the price: sent together, answered within a day.

The id of a batch is stored as soon as the API has given it, so after a restart its calls are only
waited for. If the process dies between the two, nobody knows whether there is a batch: its calls
count as lost, at their worst case, and are sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from spadework.errors import BackendUnavailable, BadReply, DeadlinePassed, SpadeworkError
from spadework.pipelines.claude_api.api_errors import BACKEND, of_type
from spadework.pipelines.claude_api.client import Sending, parameters, translating, watched
from spadework.util.http_client import replies_up_to

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.messages import MessageBatchIndividualResponse

    from spadework.pipelines.claude_api.budget import Budget
    from spadework.pipelines.claude_api.client import ClaudeClient
    from spadework.pipelines.claude_api.request import ClaudeRequest

_GROWTH = 1.5
_LARGEST_RESULTS = 1 << 30  # bytes; a batch has up to 100,000 answers
_CANNOT = "the batch {batch} was {what} before this request was done; it cost nothing"


@dataclass(frozen=True, slots=True)
class Timing:
    """When a batch is sent and how often it is polled; times in seconds.

    A batch is sent when it has `most` requests, or when for `quiet` none has come. It is looked
    at after `interval`, then ever less often, but at least every `longest`.
    """

    most: int = 1000
    quiet: float = 2.0
    interval: float = 5.0
    longest: float = 60.0


@dataclass(slots=True)
class _Pile:
    """The requests of one run that wait for their batch."""

    budget: int | None
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    batch_id: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    timer: asyncio.TimerHandle | None = None


class NotSent(Exception):
    """The batch was not created; `charged` tells whether it might exist all the same."""

    def __init__(self, error: SpadeworkError, *, charged: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.charged = charged


class Batches:
    """The batches of one process; use it from one event loop."""

    def __init__(self, client: ClaudeClient, budget: Budget, timing: Timing) -> None:
        self._client = client
        self._budget = budget
        self._timing = timing
        self._piles: dict[str, _Pile] = {}
        self._polls: dict[str, asyncio.Task[dict[str, MessageBatchIndividualResponse]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(
        self, run_id: str, call_id: str, request: ClaudeRequest, budget: int | None
    ) -> str:
        """Send a request that is set aside along with others of its run; return the batch's id.

        Raises:
            NotSent: the batch was not made.
        """
        pile = self._piles.get(run_id)
        if pile is None:
            pile = self._piles[run_id] = _Pile(budget)
        pile.requests[call_id] = parameters(request)
        if pile.timer:
            pile.timer.cancel()
        if len(pile.requests) >= self._timing.most:
            self._flush(run_id)
        else:
            loop = asyncio.get_running_loop()
            pile.timer = loop.call_later(self._timing.quiet, self._flush, run_id)
        return await asyncio.shield(pile.batch_id)

    def _flush(self, run_id: str) -> None:
        pile = self._piles.pop(run_id)
        if pile.timer:
            pile.timer.cancel()
        task = asyncio.ensure_future(self._send(run_id, pile))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, run_id: str, pile: _Pile) -> None:
        call_ids = list(pile.requests)

        async def again() -> None:
            await asyncio.to_thread(self._budget.send_again, run_id, call_ids, pile.budget)

        sending = Sending(again)
        requests: Any = [
            {"custom_id": custom_id(one), "params": params} for one, params in pile.requests.items()
        ]
        try:
            await asyncio.to_thread(self._budget.sending, run_id, call_ids)
            with watched(sending), translating(""):
                batch = await self._client.sdk.messages.batches.create(requests=requests)
            await asyncio.to_thread(self._budget.submitted, run_id, call_ids, batch.id)
            pile.batch_id.set_result(batch.id)
        except SpadeworkError as error:
            pile.batch_id.set_exception(NotSent(error, charged=sending.unseen))
        except BaseException as error:
            pile.batch_id.set_exception(error)
            raise
        finally:
            if pile.batch_id.done() and not pile.batch_id.cancelled():
                pile.batch_id.exception()  # every waiter may be gone: avoid asyncio's warning

    async def result(self, batch_id: str, call_id: str, model: str) -> Message:
        """Wait for a batch to end, and return what it answered to one call.

        Raises:
            BackendError: it answered nothing to it, and charges nothing; or its results are gone
                (`ModelUnknown`), which it may have charged.
        """
        poll = self._polls.get(batch_id)
        if poll is None or (poll.done() and (poll.cancelled() or poll.exception())):
            poll = self._polls[batch_id] = asyncio.ensure_future(self._read(batch_id))
            poll.add_done_callback(_seen)
        results = await asyncio.shield(poll)
        found = results.get(custom_id(call_id))
        if found is None:
            text = f"the batch {batch_id} has no result for this request"
            raise BadReply(text, backend=BACKEND, model=model)
        return _message(found, batch_id, model)

    def has_ended(self, batch_id: str) -> bool:
        """Tell whether the results of a batch were read to their end."""
        poll = self._polls.get(batch_id)
        return poll is not None and poll.done() and not (poll.cancelled() or poll.exception())

    async def _read(self, batch_id: str) -> dict[str, MessageBatchIndividualResponse]:
        """Look until a batch has ended, then read its results by their ids."""
        pause = self._timing.interval
        batches = self._client.sdk.messages.batches
        with translating(""):
            while (await batches.retrieve(batch_id)).processing_status != "ended":
                await asyncio.sleep(pause)
                pause = min(pause * _GROWTH, self._timing.longest)
            with replies_up_to(_LARGEST_RESULTS):
                return {one.custom_id: one async for one in await batches.results(batch_id)}

    async def cancel(self, batch_id: str) -> None:
        """Ask the API to end a batch; what is done already stays answered and charged.

        Raises:
            BackendError: the API refused it or could not be reached.
        """
        with translating(""):
            await self._client.sdk.messages.batches.cancel(batch_id)

    async def close(self) -> None:
        """Stop looking; the batches go on."""
        for pile in self._piles.values():
            if pile.timer:
                pile.timer.cancel()
            pile.batch_id.cancel()
        tasks = [*self._polls.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def custom_id(call_id: str) -> str:
    """Name a call in a batch, in the 64 characters that the API allows."""
    return sha256(call_id.encode()).hexdigest()


def _message(found: MessageBatchIndividualResponse, batch_id: str, model: str) -> Message:
    result = found.result
    match result.type:
        case "succeeded":
            return result.message
        case "errored":
            error = result.error.error
            raise of_type(error.type, error.message, model)
        case "canceled":
            text = _CANNOT.format(batch=batch_id, what="canceled")
            raise BackendUnavailable(text, backend=BACKEND, model=model, hint="resume the run")
        case "expired":
            text = _CANNOT.format(batch=batch_id, what="expired")
            raise DeadlinePassed(text, backend=BACKEND, model=model, hint="resume the run")


def _seen(poll: asyncio.Task[Any]) -> None:
    """Take the error of a poll that nobody waits for any more."""
    if not poll.cancelled():
        poll.exception()
