"""The status of the queue and of the servers, for `spadework status` and for lists of models.

These types are filled here, completed by the engine with what only the servers know, sent as they
are and shown field by field: a new field needs no line elsewhere to reach the user.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.engine.job import JobKind
    from spadework.engine.scheduling.backend_queues import BackendQueues
    from spadework.engine.scheduling.circuit_breaker import BreakerState
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.health import Health
    from spadework.engine.scheduling.slot_requests import Model


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """One backend: its requests now, and the models that it holds; None where it does not tell.

    `exclusive` says that it holds one model at a time; `swaps` counts the changes that we caused.
    """

    name: str
    kind: str
    running: int
    slots: int
    waiting: int
    exclusive: bool
    swaps: int
    loaded: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class RunningStatus:
    """A request that runs, for `seconds` so far; `cold` while a model is loaded for it."""

    session: str
    tool: str
    model: str
    kind: JobKind
    seconds: float
    cold: bool
    id: str = ""


@dataclass(frozen=True, slots=True)
class WaitingStatus:
    """What one session has waiting for one set of models, the longest for `seconds`."""

    session: str
    kind: JobKind
    count: int
    seconds: float
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """A backend or a model (`backend/model`) with failures behind it."""

    name: str
    state: BreakerState
    reopens_in: float
    reason: str


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """A model that failed: when (seconds since 1970), the error's class, its line."""

    at: float
    model: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Everything at one moment. A request may wait at several backends."""

    backends: tuple[BackendStatus, ...]
    running: tuple[RunningStatus, ...]
    waiting: tuple[WaitingStatus, ...]
    breakers: tuple[BreakerStatus, ...]
    errors: tuple[ErrorStatus, ...] = ()

    def by_model(self) -> dict[str, str]:
        """Describe each model that is suspended, runs or is waited for, by its id."""
        running = Counter(one.model for one in self.running)
        waiting: Counter[str] = Counter()
        for group in self.waiting:
            waiting.update(dict.fromkeys(group.models, group.count))
        counts = {
            name: f"{running[name]} running, {waiting[name]} waiting"
            for name in sorted(running.keys() | waiting.keys())
        }
        return counts | {
            one.name: f"suspended for another {one.reopens_in:.0f} s" for one in self.breakers
        }


def status_report(
    now: float,
    all_queues: Iterable[BackendQueues],
    health: Health,
    waiting: Mapping[str, Waiting],
    queued_at: Mapping[str, tuple[Model, ...]],
) -> StatusReport:
    """Copy what is shown out of what is in motion."""
    all_queues = list(all_queues)
    return StatusReport(
        backends=tuple(map(_backend_status, all_queues)),
        running=tuple(
            RunningStatus(
                session=one.request.session,
                tool=one.request.tool,
                model=str(one.model),
                kind=one.request.kind,
                seconds=now - one.since,
                cold=one.cold and not one.answering,
                id=one.request.id,
            )
            for backend_queues in all_queues
            for one in backend_queues.running.values()
        ),
        waiting=_waiting_groups(now, waiting, queued_at),
        breakers=tuple(
            BreakerStatus(name, state, breaker.reopens_in(now), breaker.reason)
            for name, breaker in health
            if (state := breaker.state(now)) != "closed"
        ),
    )


def _backend_status(backend_queues: BackendQueues) -> BackendStatus:
    capacity, loaded = backend_queues.capacity, backend_queues.loaded
    return BackendStatus(
        name=backend_queues.name,
        kind="",
        running=len(backend_queues.running),
        slots=capacity.slots,
        waiting=sum(map(len, backend_queues.queues.values())),
        exclusive=capacity.exclusive,
        swaps=backend_queues.swaps,
        loaded=(loaded,) if capacity.exclusive and loaded else None,
    )


def _waiting_groups(
    now: float, waiting: Mapping[str, Waiting], queued_at: Mapping[str, tuple[Model, ...]]
) -> tuple[WaitingStatus, ...]:
    groups: dict[tuple[str, JobKind, tuple[Model, ...]], list[Waiting]] = defaultdict(list)
    for request_id, one in waiting.items():
        groups[one.request.session, one.request.kind, queued_at[request_id]].append(one)
    return tuple(
        WaitingStatus(session, kind, len(group), now - group[0].since, tuple(map(str, models)))
        for (session, kind, models), group in groups.items()
    )
