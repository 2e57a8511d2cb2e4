"""The one queue before all models: every delegation waits here for its slot."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from journeyman.engine.capacities import Capacities
from journeyman.engine.scheduling.gate import Gate
from journeyman.engine.scheduling.scheduler import Scheduler
from journeyman.engine.scheduling.values import Model, Policy
from journeyman.errors import BackendError, BackendUnavailable, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from journeyman.backends.base import Backend
    from journeyman.config.models import Config
    from journeyman.engine.scheduling.gate import Slot
    from journeyman.engine.scheduling.snapshot import Place, Snapshot
    from journeyman.engine.scheduling.values import Request

    Found = TypeVar("Found")

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_CLOSE = 1.0
_ASK_LATER = "start that server, or ask again then"


class Queue:
    """Gives slots, keeps the backends' health, and learns what they hold.

    Args:
        config: limits, and what the user says of the backends.
        backends: every backend by name.
    """

    def __init__(self, config: Config, backends: Mapping[str, Backend]) -> None:
        self._scheduler = Scheduler(
            {}, _policy(config), clock=time.monotonic, jitter=random.SystemRandom().random
        )
        self._gate = Gate(self._scheduler, self._probe)
        self._looked: dict[str, float] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._asking: dict[str, asyncio.Lock] = {}
        self._asked_as: dict[Model, str] = {}
        """How a model that the server knows by a full name is called here."""
        self._take(config, backends)

    def reconfigure(self, config: Config, backends: Mapping[str, Backend]) -> None:
        """Take a changed config; what waits and what runs goes on."""
        self._take(config, backends)
        self._scheduler.policy = _policy(config)
        self._gate.decide()

    async def close(self) -> None:
        """End what looks after the backends."""
        await self._gate.close()
        if not (looking := list(self._looking)):
            return
        # A connection that is cancelled while it is being made is never closed by the libraries.
        await asyncio.wait(looking, timeout=_SECONDS_TO_CLOSE)
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    @asynccontextmanager
    async def slot(self, request: Request, on_wait: Callable[[Place], None]) -> AsyncIterator[Slot]:
        """Wait for a slot and hold it for the body; see `Gate.slot`.

        Raises:
            Overloaded: the queue is full, or the deadline passed before a slot came free.
            BackendUnavailable: every model of the request is set aside after failures.
        """
        models = [model for tier in request.tiers for model in tier]
        for backend, model in models:
            full_name = self._backends[backend].full_name(model)
            self._asked_as[Model(backend, full_name)] = model
        for name in dict.fromkeys(model.backend for model in models):
            if not self._capacities.is_known(name):
                await self._get_to_know(name)
        async with self._gate.slot(request, on_wait) as slot:
            try:
                yield slot
            finally:
                self._look_at(slot.model.backend)

    async def ask(self, name: str, question: Callable[[], Awaitable[Found]]) -> Found:
        """Ask a backend what takes no slot, such as its list of models.

        A machine that was dead is not asked again before its cooldown is over: it would cost every
        call the time that connecting may take.

        Raises:
            Unreachable: nothing answers, now or when it was asked last.
            BackendError: whatever else the question raises.
        """
        backend = Model(name, "")
        if not self._scheduler.take_probe(name) and (why := self._scheduler.set_aside(backend)):
            self._gate.decide()  # it sets the alarm for the probe
            raise Unreachable(why, backend=name, hint=_ASK_LATER)
        failure = ""
        try:
            return await question()
        except Unreachable as error:
            failure = str(error)
            raise
        finally:
            self._scheduler.note_probe(name, failure)
            self._gate.decide()

    def refusal_of(self, model_id: str) -> BackendUnavailable | None:
        """Say why a model is set aside; None where it is not."""
        model = Model.of(model_id)
        why = self._scheduler.set_aside(model)
        if not why:
            return None
        away = self._scheduler.set_aside(Model(model.backend, ""))
        kind = Unreachable if away else BackendUnavailable
        return kind(why, backend=model.backend, model=model.name, hint=_ASK_LATER)

    def snapshot(self) -> Snapshot:
        """Everything as it stands."""
        return self._scheduler.snapshot()

    def _take(self, config: Config, backends: Mapping[str, Backend]) -> None:
        self._backends = backends
        self._capacities = Capacities(config.backends, backends)
        for name in backends:
            self._scheduler.configure(name, self._capacities.of(name))

    async def _probe(self, name: str) -> None:
        if name in self._backends:
            await self._backends[name].probe()

    async def _get_to_know(self, name: str) -> None:
        """Ask a server once what it takes and what it holds; who comes meanwhile waits for it."""
        async with self._asking.setdefault(name, asyncio.Lock()):
            if self._capacities.is_known(name) or self._scheduler.set_aside(Model(name, "")):
                return
            try:
                await self.ask(name, lambda: self._capacities.ask(name))
            except BackendError:
                return  # the request itself will be told so
            self._scheduler.configure(name, self._capacities.of(name))
            await self._look(name)

    def _look_at(self, name: str) -> None:
        """See once in a while, beside the work, which models a server holds."""
        now = time.monotonic()
        if now - self._looked.get(name, float("-inf")) < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked[name] = now
        task = asyncio.ensure_future(self._look(name))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, name: str) -> None:
        backend = self._backends.get(name)
        if backend is None:
            return
        try:
            loaded = await backend.loaded()
        except BackendError:
            return  # its requests will tell
        if loaded is None or self._backends.get(name) is not backend:
            return
        self._capacities.note_loaded(name, loaded)
        self._scheduler.configure(name, self._capacities.of(name))
        if len(loaded) == 1:
            (model,) = loaded
            self._scheduler.note_loaded(name, self._asked_as.get(Model(name, model), model))
        self._gate.decide()


def _policy(config: Config) -> Policy:
    limits = config.queue
    return Policy(
        max_wait=limits.max_wait,
        max_waiting=limits.max_waiting,
        max_waiting_of_session=limits.max_waiting_per_session,
    )
