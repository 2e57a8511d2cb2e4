"""Immutable snapshots of the scheduler, for `spadework status` and for progress."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.engine.scheduling.backend_queues import BackendQueues
    from spadework.engine.scheduling.circuit_breaker import State
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.health import Health
    from spadework.engine.scheduling.slot_requests import Kind, Model


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """A request's position in the queue (1 is next), the expected seconds, and its model."""

    position: int
    seconds: float
    model: Model


@dataclass(frozen=True, slots=True)
class RunningView:
    """A request that runs, for `seconds` so far; `cold` while a model is loaded for it."""

    id: str
    session: str
    tool: str
    model: Model
    kind: Kind
    seconds: float
    cold: bool


@dataclass(frozen=True, slots=True)
class WaitingView:
    """What one session has waiting for one set of models, the longest for `seconds`."""

    session: str
    models: tuple[Model, ...]
    kind: Kind
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A backend or a model (`backend/model`) with failures behind it."""

    name: str
    state: State
    reason: str
    reopens_in: float


@dataclass(frozen=True, slots=True)
class BackendView:
    """One backend; `loaded` is None where it is not known or it is not exclusive."""

    name: str
    slots: int
    running: int
    waiting: int
    exclusive: bool
    loaded: str | None
    swaps: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything as it stands at one moment. A request may wait at several backends."""

    backends: tuple[BackendView, ...]
    running: tuple[RunningView, ...]
    waiting: tuple[WaitingView, ...]
    breakers: tuple[BreakerView, ...]


def take_snapshot(
    now: float,
    all_queues: Iterable[BackendQueues],
    health: Health,
    waiting: Mapping[str, Waiting],
    queued_at: Mapping[str, tuple[Model, ...]],
) -> Snapshot:
    """Copy what is shown out of what is in motion."""
    all_queues = list(all_queues)
    return Snapshot(
        backends=tuple(map(_backend_view, all_queues)),
        running=tuple(
            RunningView(
                id=one.request.id,
                session=one.request.session,
                tool=one.request.tool,
                model=one.model,
                kind=one.request.kind,
                seconds=now - one.since,
                cold=one.cold and not one.answering,
            )
            for backend_queues in all_queues
            for one in backend_queues.running.values()
        ),
        waiting=_waiting_views(now, waiting, queued_at),
        breakers=tuple(
            BreakerView(name, state, breaker.reason, breaker.reopens_in(now))
            for name, breaker in health
            if (state := breaker.state(now)) != "closed"
        ),
    )


def _backend_view(backend_queues: BackendQueues) -> BackendView:
    return BackendView(
        name=backend_queues.name,
        slots=backend_queues.capacity.slots,
        running=len(backend_queues.running),
        waiting=sum(map(len, backend_queues.queues.values())),
        exclusive=backend_queues.capacity.exclusive,
        loaded=backend_queues.loaded if backend_queues.capacity.exclusive else None,
        swaps=backend_queues.swaps,
    )


def _waiting_views(
    now: float, waiting: Mapping[str, Waiting], queued_at: Mapping[str, tuple[Model, ...]]
) -> tuple[WaitingView, ...]:
    groups: dict[tuple[str, tuple[Model, ...], Kind], list[Waiting]] = defaultdict(list)
    for request_id, one in waiting.items():
        key = (one.request.session, queued_at[request_id], one.request.kind)
        groups[key].append(one)
    return tuple(
        WaitingView(session, models, kind, len(group), now - group[0].since)
        for (session, models, kind), group in groups.items()
    )
