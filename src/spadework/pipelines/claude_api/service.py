"""The service through which pipelines call Claude.

What was settled is not asked again, the budget holds, and every call is in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.errors import (
    BadReply,
    BudgetReached,
    ConfigError,
    LedgerError,
    ModelUnknown,
    PrivateRefused,
    SpadeworkError,
)
from spadework.pipelines.claude_api.access import access
from spadework.pipelines.claude_api.api_errors import BACKEND
from spadework.pipelines.claude_api.batches import Batches, NotSent, Timing
from spadework.pipelines.claude_api.budget import Budget, BudgetState, Call, Spend
from spadework.pipelines.claude_api.client import (
    ClaudeClient,
    Sending,
    text_of,
    tokens_of,
    watched,
)
from spadework.pipelines.claude_api.request import (
    PricedTokens,
    budget_in_nanos,
    cost_of,
    estimate_of,
    in_dollars,
    in_nanos,
    worst_case,
)
from spadework.pipelines.items import Reply
from spadework.storage.ledger import LedgerEntry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from decimal import Decimal

    import sqlalchemy as sa
    from anthropic.types import Message

    from spadework.config.pipeline_config import ClaudeApiConfig
    from spadework.pipelines.claude_api.request import CallEstimate, ClaudeRequest
    from spadework.storage.ledger import Ledger, LedgerOutcome

SESSION = "pipeline"
"""What the ledger calls the session of a pipeline's call to Claude."""
_MARGIN_SHARE = 50
_MARGIN_TOKENS = 100
_REFUSED = (BudgetReached, ConfigError, PrivateRefused)

log = logging.getLogger(__name__)


async def _allowed() -> None:
    """Whoever asks has nothing against it."""


@dataclass(slots=True)
class _Asking:
    """One call in progress."""

    call: Call
    request: ClaudeRequest
    budget: int | None
    batch: bool
    started: float
    check: Callable[[], Awaitable[None]] = _allowed
    send: int = 0
    nanos: int = 0
    tokens: PricedTokens | None = None


class ClaudeService:
    """Calls Claude for the runs of one process; use it from one event loop, and close it.

    Args:
        config: the config's part `claude_api`.
        engine: the database that keeps the calls.
        ledger: where each call is recorded; None records nothing.
        timing: when batches are sent and looked at.

    Raises:
        ConfigError: `access` refuses the key or the environment. Nothing was sent.
    """

    def __init__(
        self,
        config: ClaudeApiConfig,
        engine: sa.Engine,
        ledger: Ledger | None = None,
        *,
        timing: Timing | None = None,
    ) -> None:
        self._ledger = ledger
        self._client = ClaudeClient(access(config), max_retries=config.max_retries)
        self._budget = Budget(engine)
        self._batches = Batches(self._client, self._budget, timing or Timing())
        self._at_once = asyncio.Semaphore(config.at_once)
        self._under_way: Counter[str] = Counter()
        self._ended = asyncio.Event()

    async def ask(
        self,
        run_id: str,
        call_id: str,
        step: str,
        request: ClaudeRequest,
        *,
        budget_usd: float | None = None,
        batch: bool = False,
        check: Callable[[], Awaitable[None]] = _allowed,
    ) -> Reply:
        """Ask Claude once for each `call_id`, whatever happens to the process.

        A call that was settled is answered from the database; one that waits in a batch is waited
        for; one whose end nobody saw is sent again, and its first worst case counts as lost.
        `check` is called before each request that holds something of the call; what it raises ends
        the call, and nothing is sent.

        Raises:
            BudgetReached: the call could pass the budget; it was not sent.
            ConfigError: the price of the model is unknown.
            CheckFailed: the reply was cut off, refused or empty; it was paid all the same.
            BackendError: the API refused the request or could not be reached.
        """
        budget = None if budget_usd is None else budget_in_nanos(budget_usd)
        call = Call(run_id, call_id, step)
        asking = _Asking(call, request, budget, batch, time.monotonic(), check)
        known = await asyncio.to_thread(self._budget.find, call_id)
        if known is None:
            async with self._at_once:  # counting is a request too
                await check()
                worst = await self._worst(request, counted=budget is not None, batch=batch)
            known = await self._reserved(asking, in_nanos(worst))
        if known.answer:
            return known.answer
        asking.send = known.send
        asking.batch = batch or bool(known.batch_id)
        self._under_way[run_id] += 1
        try:
            answer = await self._asked(asking, known.batch_id)
        except BaseException as error:
            self._record(asking, _outcome_of(error), 0, error)
            raise
        finally:
            self._under_way[run_id] -= 1
            self._ended.set()
        self._record(asking, "answered", len(answer.text.encode()))
        return answer

    async def _reserved(self, asking: _Asking, worst: int) -> BudgetState:
        """Set the worst case aside; what is under way mostly ends cheaper, so that is waited for.

        Raises:
            BudgetReached: it could pass the budget, and nothing of this run ends here any more.
        """
        reserve = self._budget.reserve
        while True:
            self._ended.clear()
            try:
                return await asyncio.to_thread(
                    reserve, asking.call, worst, asking.budget, sent=not asking.batch
                )
            except BudgetReached:
                if asking.batch or not self._under_way[asking.call.run_id]:
                    raise
            await self._ended.wait()

    async def spent(self, run_id: str) -> Spend:
        """Tell what a run has cost so far."""
        return await asyncio.to_thread(self._budget.spent, run_id)

    async def estimate(
        self, requests: Sequence[ClaudeRequest], *, batch: bool = False
    ) -> CallEstimate:
        """Count the tokens of requests without asking them, which costs nothing.

        Raises:
            ConfigError: the price of a model is unknown.
            BackendError: the API could not be asked.
        """

        async def count(request: ClaudeRequest) -> int:
            async with self._at_once:
                return await self._client.count(request)

        counts = await asyncio.gather(*(count(one) for one in requests))
        return estimate_of(zip(requests, counts, strict=True), batch=batch)

    async def cancel_batches(self, run_id: str) -> int:
        """Ask the API to end what batches a run waits for; return how many.

        Raises:
            BackendError: the API refused it or could not be reached.
        """
        waiting = await asyncio.to_thread(self._budget.batches_of, run_id)
        for one in waiting:
            await self._batches.cancel(one)
        return len(waiting)

    async def close(self) -> None:
        """Close the connections; batches go on without us."""
        await self._batches.close()
        await self._client.close()

    async def _worst(self, request: ClaudeRequest, *, counted: bool, batch: bool) -> Decimal:
        """Return the most that a call can cost; without a budget nothing is asked for that.

        The API calls its count an estimate that may be off by a little: 2 % and 100 tokens more.
        """
        bound = request.most_tokens
        worst_case(request, bound)  # is there a price?
        if counted:
            tokens = await self._client.count(request)
            bound = tokens + tokens // _MARGIN_SHARE + _MARGIN_TOKENS
        return worst_case(request, bound, batch=batch)

    async def _asked(self, asking: _Asking, batch_id: str) -> Reply:
        if asking.batch:
            message = await self._by_batch(asking, batch_id)
        else:
            async with self._at_once:
                message = await self._directly(asking)
        return await self._settled(asking, message)

    async def _directly(self, asking: _Asking) -> Message:
        call = asking.call

        async def again() -> None:
            await asyncio.to_thread(
                self._budget.send_again, call.run_id, [call.call_id], asking.budget
            )

        sending = Sending(again)
        try:
            await asking.check()
            with watched(sending):
                return await self._client.ask(asking.request)
        except BaseException:
            end = self._budget.lose if sending.unseen else self._budget.release
            end(call, asking.send)  # not in a thread: this may be a cancellation
            raise

    async def _by_batch(self, asking: _Asking, batch_id: str) -> Message:
        call, request = asking.call, asking.request
        try:
            if not batch_id:
                await self._check_unsent(asking)
                batch_id = await self._batches.submit(
                    call.run_id, call.call_id, request, asking.budget
                )
            return await self._batches.result(batch_id, call.call_id, request.model)
        except NotSent as failure:
            end = self._budget.lose if failure.charged else self._budget.release
            await asyncio.to_thread(end, call, asking.send)
            raise failure.error from failure
        except SpadeworkError as error:
            await self._without_result(asking, batch_id, error)
            raise

    async def _check_unsent(self, asking: _Asking) -> None:
        try:
            await asking.check()
        except SpadeworkError as error:
            raise NotSent(error, charged=False) from error

    async def _without_result(self, asking: _Asking, batch_id: str, error: SpadeworkError) -> None:
        """Settle what a batch has no answer to; while it cannot be asked the call still waits."""
        if self._batches.has_ended(batch_id):
            end = self._budget.lose if isinstance(error, BadReply) else self._budget.release
            await asyncio.to_thread(end, asking.call, asking.send)
        elif isinstance(error, ModelUnknown):  # HTTP 404: the results are there no longer
            await asyncio.to_thread(self._budget.lose, asking.call, asking.send)

    async def _settled(self, asking: _Asking, message: Message) -> Reply:
        """Check a reply, and put its true cost in place of the worst case."""
        request, tokens = asking.request, tokens_of(message)
        asking.tokens = tokens
        asking.nanos = in_nanos(cost_of(request.model, tokens, batch=asking.batch))
        answer = None
        try:
            answer = Reply(
                text=text_of(message, request),
                model=message.model,
                cost_usd=in_dollars(asking.nanos),
                input_tokens=tokens.read + tokens.cache_read + tokens.cache_written,
                output_tokens=tokens.written,
            )
        finally:
            settling = (asking.call, asking.send, asking.nanos, answer)
            await asyncio.shield(asyncio.to_thread(self._budget.settle, *settling))
        return answer

    def _record(
        self,
        asking: _Asking,
        outcome: LedgerOutcome,
        returned: int,
        error: BaseException | None = None,
    ) -> None:
        """Write the ledger's row. A full disk must not cost the user the answer: it is logged."""
        if self._ledger is None:
            return
        request, tokens = asking.request, asking.tokens
        entry = LedgerEntry(
            at=time.time(),
            session=SESSION,
            tool=asking.call.step,
            model=f"{BACKEND}/{request.model}",
            outcome=outcome,
            prompt_tokens=tokens.read + tokens.cache_read + tokens.cache_written
            if tokens
            else None,
            completion_tokens=tokens.written if tokens else None,
            first_token_seconds=None,
            seconds=time.monotonic() - asking.started,
            bytes_read=request.bytes,
            bytes_returned=returned,
            error="" if error is None else str(error) or type(error).__name__,
            run=asking.call.run_id,
            cost_usd=in_dollars(asking.nanos),
        )
        try:
            self._ledger.record(entry)
        except LedgerError as failure:
            log.warning("not recorded: %s", failure)


def _outcome_of(error: BaseException) -> LedgerOutcome:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "refused" if isinstance(error, _REFUSED) else "failed"
