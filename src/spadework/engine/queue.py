"""The queue in which every delegation waits for a slot of a model."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.engine.discovered_capacity import Capacities
from spadework.engine.scheduling.scheduler import Scheduler
from spadework.engine.scheduling.slot_manager import SlotManager
from spadework.engine.scheduling.slot_requests import Model, Policy
from spadework.errors import BackendError, BackendUnavailable, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping

    from spadework.backends.base import Backend
    from spadework.config.models import Config
    from spadework.engine.scheduling.slot_manager import Slot
    from spadework.engine.scheduling.slot_requests import Capacity, QueuePosition, SlotRequest
    from spadework.engine.scheduling.status import StatusReport

    Found = TypeVar("Found")

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_TELLING = 1.0
_SECONDS_TO_CLOSE = 1.0
_SECONDS_TO_GET_TO_KNOW = 1.0
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
        self._slot_manager = SlotManager(self._scheduler, self._probe)
        self._max_outage = config.queue.patience
        self._looked: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._introducing: dict[str, asyncio.Task[None]] = {}
        self._capacities = Capacities(config, backends)
        self._asked_as: dict[Model, str] = {}
        """How a model that the server knows by a full name is called here."""
        self._backends = backends
        self._configure()

    def reconfigure(self, config: Config, backends: Mapping[str, Backend]) -> None:
        """Take a changed config; what waits and what runs goes on."""
        for name, backend in self._backends.items():
            if backends.get(name) is not backend:
                self._scheduler.forget(name)
        self._backends = backends
        self._capacities.take(config, backends)
        self._configure()
        self._max_outage = config.queue.patience
        self._scheduler.policy = _policy(config)
        self._slot_manager.decide()

    async def close(self) -> None:
        """End what looks after the backends."""
        await self._slot_manager.close()
        if not (tasks := list(self._tasks)):
            return
        # A connection that is cancelled while it is being made is never closed by the libraries.
        await asyncio.wait(tasks, timeout=_SECONDS_TO_CLOSE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def slot(
        self, request: SlotRequest, on_wait: Callable[[QueuePosition], None]
    ) -> AsyncIterator[Slot]:
        """Wait for a slot and hold it for the body; see `SlotManager.slot`.

        Raises:
            Overloaded: the queue is full, or the deadline passed before a slot came free.
            BackendUnavailable: every model of the request is suspended after failures.
        """
        for tier in request.tiers:
            for model in tier:
                self._note_name(model)
        await self._get_to_know(dict.fromkeys(model.backend for model in request.tiers[0]))
        async with self._slot_manager.slot(request, on_wait) as slot:
            learning: list[asyncio.Task[None]] = []
            name = slot.model.backend
            if not self._capacities.tells_of(slot.model, self._full_name(slot.model)):
                slot.on_first_token = lambda: learning.append(self._beside(self._learn(name)))
            try:
                yield slot
            finally:
                if learning:  # with the slot: what is asked would load a model that was unloaded
                    await asyncio.wait(learning, timeout=_SECONDS_TO_GET_TO_KNOW)
                self._look_at(name)

    async def ask(self, name: str, question: Callable[[], Awaitable[Found]]) -> Found:
        """Ask a backend what takes no slot, such as its list of models.

        A machine that was dead is not asked again before its cooldown is over: it would cost every
        call the time that connecting may take. The question goes on if nobody waits for its answer
        any more, so that it is known how it ends.

        Raises:
            Unreachable: nothing answers, now or when it was asked last.
            BackendError: whatever else the question raises.
        """
        backend = Model(name, "")
        claim = self._scheduler.take_probe(name)
        if not claim and (why := self._scheduler.suspension(backend)):
            self._slot_manager.decide()  # it sets the alarm for the probe
            raise Unreachable(why, backend=name, hint=_ASK_LATER)
        return await asyncio.shield(self._beside(self._ask(name, claim, question)))

    async def _ask(self, name: str, claim: str, question: Callable[[], Awaitable[Found]]) -> Found:
        failure: str | None = None
        try:
            found = await question()
        except Unreachable as error:
            failure = str(error)
            raise
        except BackendError:
            failure = ""
            raise
        else:
            failure = ""
            return found
        finally:
            if failure is not None:
                self._scheduler.note_probe(name, claim, failure)
                self._slot_manager.decide()
            elif claim:
                self._scheduler.give_up_probe(name, claim)

    def refusal_of(self, model_id: str) -> BackendUnavailable | None:
        """Say why a model is suspended; None where it is not."""
        model = Model.of(model_id)
        why = self._scheduler.suspension(model)
        if not why:
            return None
        away = self._scheduler.suspension(Model(model.backend, ""))
        kind = Unreachable if away else BackendUnavailable
        refusal = kind(why, backend=model.backend, model=model.name, hint=_ASK_LATER)
        refusal.is_temporary = self._scheduler.is_worth_waiting_for(model)
        return refusal

    async def wait_for_any(
        self, names: Iterable[str], until: float, on_wait: Callable[[str, str], None]
    ) -> bool:
        """Wait until one of these may be asked that are suspended; nothing loads a model for it.

        Args:
            names: models, or backends.
            until: a time of `time.monotonic`.
            on_wait: told a name and why it is suspended, once a second.

        Returns:
            Whether one may be asked; False if its time came first.
        """
        models = {name: Model.of(name) for name in names}
        while True:
            suspended = {name: self._scheduler.want_back(model) for name, model in models.items()}
            if not all(suspended.values()):
                return True
            # An outage is waited for once, not once for each row that comes later.
            ends = max(map(self._scheduler.shut_since, models.values())) + self._max_outage
            if (left := min(until, ends) - time.monotonic()) <= 0:
                return False
            on_wait(*next(iter(suspended.items())))
            self._slot_manager.decide()  # it sets the alarm for the probe
            await self._slot_manager.health_change(min(left, _SECONDS_BETWEEN_TELLING))

    def holds(self, backend: Backend) -> bool:
        """Tell whether the config still names this very backend."""
        return self._backends.get(backend.name) is backend

    def answers_of(self, model_id: str) -> int:
        """How many requests a model has answered so far."""
        return self._scheduler.answers_of(Model.of(model_id))

    def slots_of(self, model_id: str) -> int:
        """How many requests a model takes at once, as far as it is known."""
        model = Model.of(model_id)
        if model.backend not in self._backends:
            return 1
        return self._capacity_of(model.backend).of_model(model.name)

    def snapshot(self) -> StatusReport:
        """Everything as it stands."""
        return self._scheduler.snapshot()

    def _configure(self) -> None:
        for name in self._backends:
            self._configure_one(name)

    def _configure_one(self, name: str) -> None:
        self._scheduler.configure(name, self._capacity_of(name))

    def _capacity_of(self, name: str) -> Capacity:
        """What a backend takes at once, its models by the names that they are asked by."""
        capacity = self._capacities.of(name)
        aliases = {
            asked_as: capacity.models[model.name]
            for model, asked_as in self._asked_as.items()
            if model.backend == name and model.name in capacity.models
        }
        return replace(capacity, models={**capacity.models, **aliases})

    async def _probe(self, name: str) -> None:
        if name in self._backends:
            await self._backends[name].probe()

    def _note_name(self, model: Model) -> None:
        if backend := self._backends.get(model.backend):
            full_name = backend.full_name(model.name)
            if full_name != model.name:
                self._asked_as[Model(model.backend, full_name)] = model.name

    async def _get_to_know(self, names: Iterable[str]) -> None:
        """Ask servers that are new what they take; one that does not answer is not waited for."""
        unknown = [
            name for name in names if name in self._backends and not self._capacities.is_known(name)
        ]
        for name in unknown:
            if name not in self._introducing:
                task = self._beside(self._introduce(name))
                self._introducing[name] = task
                task.add_done_callback(partial(self._forget_introduction, name))
        if unknown:
            waited_for = [self._introducing[name] for name in unknown]
            await asyncio.wait(waited_for, timeout=_SECONDS_TO_GET_TO_KNOW)

    def _forget_introduction(self, name: str, _: object) -> None:
        self._introducing.pop(name, None)

    async def _introduce(self, name: str) -> None:
        try:
            await self.ask(name, lambda: self._capacities.ask(name))
        except BackendError:
            return  # the request itself will be told so
        if name in self._backends:
            self._configure_one(name)
            await self._look(name)

    async def _learn(self, name: str) -> None:
        """Ask a server what the models take that it has loaded by now."""
        if name in self._backends:
            with suppress(BackendError):  # its requests will tell
                await self._capacities.ask(name)
                if name in self._backends:
                    self._configure_one(name)
                    self._slot_manager.decide()

    def _full_name(self, model: Model) -> str:
        backend = self._backends.get(model.backend)
        return backend.full_name(model.name) if backend else model.name

    def _look_at(self, name: str) -> None:
        """See once in a while, beside the work, which models a server holds."""
        now = time.monotonic()
        if now - self._looked.get(name, float("-inf")) < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked[name] = now
        self._beside(self._look(name))

    def _beside(self, work: Coroutine[Any, Any, Found]) -> asyncio.Task[Found]:
        """Do something that no call's end ends; what goes wrong with it is its callers' matter."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return task

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
        self._configure_one(name)
        if len(loaded) <= 1:
            model = next(iter(loaded), None)
            asked_as = None if model is None else self._asked_as.get(Model(name, model), model)
            self._scheduler.note_loaded(name, asked_as)
        self._slot_manager.decide()


def _policy(config: Config) -> Policy:
    limits = config.queue
    return Policy(
        max_wait=limits.max_wait,
        interactive_patience=limits.interactive_patience,
        max_waiting=limits.max_waiting,
        max_waiting_of_session=limits.max_waiting_per_session,
    )
