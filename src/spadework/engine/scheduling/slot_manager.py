"""The asyncio front end of the scheduler: acquire a slot, hold it, always release it.

Here an error becomes what it says of a server's health, and a refusal becomes an error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.engine.scheduling.slot_requests import Failed, Granted, Succeeded
from spadework.errors import (
    BackendError,
    BackendUnavailable,
    BadReply,
    CoolingDown,
    CutStream,
    ModelUnknown,
    Overloaded,
    SpadeworkError,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from spadework.engine.scheduling.scheduler import Scheduler
    from spadework.engine.scheduling.slot_requests import (
        Decision,
        FailureScope,
        Model,
        QueuePosition,
        Refused,
        SlotRequest,
    )

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_PLACES = 0.5


def _ignore(_: QueuePosition) -> None:
    """Take no notice."""


@dataclass(slots=True)
class Slot:
    """An acquired slot.

    `cold` says that the model is being loaded for it, which takes about `swap` seconds.
    """

    model: Model
    cold: bool
    swap: float
    _tell: Callable[[float], None]
    _clock: Callable[[], float]
    on_first_token: Callable[[], None] | None = None
    """Called once, when the reply begins."""
    _since: float = field(init=False)
    had_first_token: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._since = self._clock()

    def first_token(self) -> None:
        """Note that the reply has begun: the cost of a swap is learnt from it."""
        if not self.had_first_token:
            self.had_first_token = True
            self._tell(self._clock() - self._since)
            if self.on_first_token:
                self.on_first_token()


class SlotManager:
    """Grants slots to coroutines as the scheduler decides. One per event loop.

    Args:
        scheduler: decides; nobody else calls its `decide`.
        probe: looks for a sign of life of a backend that was dead; any answer is one, and only
            `Unreachable` is none. None: a backend is taken for alive once its cooldown is over.
        clock: the scheduler's own clock.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        probe: Callable[[str], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.scheduler = scheduler
        self._probe = probe
        self._clock = clock
        self._probing: set[asyncio.Task[None]] = set()
        self._decisions: dict[str, asyncio.Future[Decision]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._health_changed = asyncio.Event()
        self._health_changes = 0

    @asynccontextmanager
    async def slot(
        self, request: SlotRequest, on_wait: Callable[[QueuePosition], None] = _ignore
    ) -> AsyncIterator[Slot]:
        """Wait for a slot and hold it for the body.

        How the body ends is how the request ended: an error of the tree says what it means for
        the server's health, a cancellation frees the slot and says nothing.

        Args:
            request: what is wanted; its deadline is a time on the scheduler's clock.
            on_wait: told the place in line, at most twice a second, when it has changed.

        Raises:
            Overloaded: the queue is full, or the deadline passed before a slot came free.
            BackendUnavailable: every model of the request is suspended after failures.
            ValueError: the request's id is taken, or it names an unknown backend.
        """
        refused = self.scheduler.submit(request)
        if refused is not None:
            self._set_alarm()  # a machine that is away may have to be probed for who comes next
            raise error_of(refused)
        try:
            yield await self._wait(request, on_wait)
        except Exception as error:
            self.scheduler.finish(request.id, verdict_on(error))
            raise
        else:
            self.scheduler.finish(request.id, Succeeded())
        finally:  # a cancellation comes straight here
            self.scheduler.cancel(request.id)
            del self._decisions[request.id]
            self.decide()

    def decide(self) -> None:
        """Pass on what the scheduler decides; needed from outside only after `configure`."""
        for decision in self.scheduler.decide():
            self._decisions[decision.id].set_result(decision)
        for backend, claim in self.scheduler.probes_due().items():
            task = asyncio.ensure_future(self._send_probe(backend, claim))
            self._probing.add(task)
            task.add_done_callback(self._probing.discard)
        if self._health_changes != self.scheduler.health_changes:
            self._health_changes = self.scheduler.health_changes
            self._health_changed.set()
            self._health_changed = asyncio.Event()
        self._set_alarm()

    async def health_change(self, seconds: float) -> None:
        """Wait until a model or a backend is suspended or let in again, so long at most."""
        changed = self._health_changed
        with suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), seconds)

    async def close(self) -> None:
        """End the probes under way."""
        probing = list(self._probing)
        for task in probing:
            task.cancel()
        await asyncio.gather(*probing, return_exceptions=True)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def _send_probe(self, backend: str, claim: str) -> None:
        failure: str | None = None
        try:
            if self._probe is not None:
                await self._probe(backend)
            failure = ""
        except Unreachable as error:
            failure = str(error)
        except BackendError:
            failure = ""  # it answers; what is wrong with it, its requests will tell
        except Exception as error:  # no probe may leave a backend waiting for its end
            log.exception("the probe of %s broke down", backend)
            failure = f"its probe broke down: {error}"
        finally:
            if failure is None:  # cancelled
                self.scheduler.give_up_probe(backend, claim)
            else:
                self.scheduler.note_probe(backend, claim, failure)
                self.decide()

    async def _wait(self, request: SlotRequest, on_wait: Callable[[QueuePosition], None]) -> Slot:
        decision = asyncio.get_running_loop().create_future()
        self._decisions[request.id] = decision
        self.decide()
        told: QueuePosition | None = None
        while not decision.done():
            place = self.scheduler.place_of(request.id)
            if place is not None and (told is None or place.position != told.position):
                on_wait(place)
                told = place
            await asyncio.wait([decision], timeout=_SECONDS_BETWEEN_PLACES)
        result = decision.result()
        if not isinstance(result, Granted):
            raise error_of(result)
        return Slot(
            result.model,
            result.cold,
            result.swap,
            lambda seconds: self.scheduler.first_token(request.id, seconds),
            self._clock,
        )

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        at = self.scheduler.next_decision_at()
        if at is not None:
            delay = max(0.0, at - self._clock())
            self._alarm = asyncio.get_running_loop().call_later(delay, self.decide)


_OF_THE_MODEL = (BackendUnavailable, BadReply, CoolingDown, CutStream, ModelUnknown)


def verdict_on(error: Exception) -> Failed:
    """Say whose fault an error is.

    Only a machine that no connection can be made to is suspended as a whole: where anything
    answers, another model there may do. A refused key is the request's own fault: another session
    may bring a better one. So is an answer that fails its checks. A server that has too many
    requests is sound.
    """
    retry_after = error.retry_after if isinstance(error, Overloaded) else None
    temporary = isinstance(error, SpadeworkError) and error.is_temporary
    return Failed(_scope_of(error), str(error), retry_after, temporary)


def _scope_of(error: Exception) -> FailureScope:
    if isinstance(error, Unreachable):
        return "backend"
    if isinstance(error, _OF_THE_MODEL):
        return "model"
    return "concurrency" if isinstance(error, Overloaded) else "request"


def error_of(refused: Refused) -> BackendError:
    """Make a refusal an error of the tree: `Overloaded`, or `BackendUnavailable` if suspended."""
    backend, model = refused.model
    if refused.why == "unhealthy":
        hint = "ask again then, or start that server"
        return BackendUnavailable(refused.message, backend=backend, model=model, hint=hint)
    return Overloaded(
        refused.message,
        backend=backend,
        model=model,
        hint="ask again later, ask for less at once, or do it yourself",
        retry_after=refused.retry_after,
    )
