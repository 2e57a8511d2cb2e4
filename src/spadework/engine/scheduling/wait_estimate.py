"""A request's position in the queue, its expected wait, and refusals that say so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.engine.scheduling.slot_requests import Model, QueuePosition, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.engine.scheduling.adaptive_concurrency import ConcurrencyLimits
    from spadework.engine.scheduling.backend_queues import BackendQueues
    from spadework.engine.scheduling.costs import Costs
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.health import Health
    from spadework.engine.scheduling.queue_placement import QueuePlacement
    from spadework.engine.scheduling.slot_requests import Policy, SlotRequest


class Estimates:
    """Estimates waiting times and words refusals, by what the scheduler knows."""

    def __init__(
        self,
        all_queues: Mapping[str, BackendQueues],
        placement: QueuePlacement,
        health: Health,
        limits: ConcurrencyLimits,
        costs: Costs,
    ) -> None:
        self._backend_queues = all_queues
        self._placement = placement
        self._health = health
        self._limits = limits
        self._costs = costs

    def best_place(
        self, waiting: Waiting, models: Sequence[Model], now: float, policy: Policy
    ) -> QueuePosition:
        """Estimate a request's place where it comes first."""
        places = []
        for model in models:
            backend_queues = self._backend_queues[model.backend]
            place = place_in(backend_queues, model, waiting, now, policy, self._costs)
            closed = max(self._health.reopens_in(model, now), self._limits.paused_for(model, now))
            places.append(replace(place, seconds=max(place.seconds, closed)))
        best = min(places, key=lambda place: (place.seconds, place.position))
        # What waits for several models of one backend was counted for each.
        most = max(1, len(self._placement.waiting))
        return replace(best, position=min(best.position, most))

    def busy(
        self, waiting: Waiting, models: Sequence[Model], now: float, policy: Policy
    ) -> Refused:
        """Refuse a request because so many wait already."""
        place = self.best_place(waiting, models, now, policy)
        count = len(self._placement.waiting)
        said = f"busy, {count} waiting, about {place.seconds:.0f} seconds"
        return Refused(waiting.request.id, place.model, "busy", said, place.seconds)

    def unhealthy(self, request: SlotRequest, now: float) -> Refused:
        """Refuse a request because every model of it is suspended."""
        models = [model for tier in request.tiers for model in tier]
        first = min(models, key=lambda model: self._health.reopens_in(model, now))
        wait = self._health.reopens_in(first, now)
        return Refused(request.id, first, "unhealthy", self._health.suspension(first, now), wait)

    def late(
        self, waiting: Waiting, models: Sequence[Model], now: float, policy: Policy
    ) -> Refused:
        """Refuse a request because its deadline has come."""
        place = self.best_place(waiting, models, now, policy)
        said = f"no slot in {now - waiting.since:.0f} s, and its time is over"
        return Refused(waiting.request.id, place.model, "deadline", said, place.seconds)


def place_in(
    backend_queues: BackendQueues,
    model: Model,
    waiting: Waiting,
    now: float,
    policy: Policy,
    costs: Costs,
) -> QueuePosition:
    """Estimate a request's place in one model's queue, as if nobody else came."""
    queue = backend_queues.queues.get(model.name)
    ahead = queue.ahead_of(waiting) if queue else 0
    if backend_queues.interrupts(waiting, model.name):
        return _place_of_detour(backend_queues, model, ahead, now, policy, costs)
    seconds, before = _until_served(backend_queues, model, now, policy.max_wait, costs)
    free = 0 if seconds else backend_queues.free(model.name)
    if ahead >= free:
        seconds += _work(backend_queues, model, ahead - free + 1, costs)
    return QueuePosition(before + ahead + 1, seconds, model)


def _place_of_detour(
    backend_queues: BackendQueues,
    model: Model,
    ahead: int,
    now: float,
    policy: Policy,
    costs: Costs,
) -> QueuePosition:
    """Estimate the place of a question that interrupts another model's batch work."""
    seconds = backend_queues.detour_in(now, policy.interactive_patience)
    if backend_queues.running and backend_queues.loaded:
        seconds += costs.service(Model(backend_queues.name, backend_queues.loaded))
    seconds += costs.swap(model) + _work(backend_queues, model, ahead, costs)
    return QueuePosition(ahead + 1, seconds, model)


def _until_served(
    backend_queues: BackendQueues, model: Model, now: float, max_wait: float, costs: Costs
) -> tuple[float, int]:
    """Seconds until a model's turn comes, its swap included, and how many are served before."""
    if not backend_queues.needs_swap(model.name):
        return 0.0, 0
    since = {name: backend_queues.stood_back_since(name) for name in backend_queues.queues}
    own = since.get(model.name, now)
    earlier = [
        Model(backend_queues.name, name)
        for name, one in since.items()
        if name not in {backend_queues.loaded, model.name} and one <= own
    ]
    seconds, before = _rest_of_turn(backend_queues, since, now, max_wait, costs)
    for other in earlier:
        count = len(backend_queues.queues[other.name])
        seconds += costs.swap(other) + _work(backend_queues, other, count, costs)
        before += count
    return seconds + costs.swap(model), before


def _rest_of_turn(
    backend_queues: BackendQueues,
    since: dict[str, float],
    now: float,
    max_wait: float,
    costs: Costs,
) -> tuple[float, int]:
    """How long the loaded model will still be served, and how many requests of it."""
    if backend_queues.loaded is None:
        return 0.0, 0
    loaded = Model(backend_queues.name, backend_queues.loaded)
    count = len(backend_queues.queues.get(backend_queues.loaded, ()))
    seconds = _work(backend_queues, loaded, count + len(backend_queues.running), costs)
    others = [one for name, one in since.items() if name != backend_queues.loaded]
    longest = max(0.0, min(others, default=now) + max_wait - now) + costs.service(loaded)
    if seconds <= longest:
        return seconds, count
    return longest, int(count * longest / seconds)


def _work(backend_queues: BackendQueues, model: Model, count: int, costs: Costs) -> float:
    return count * costs.service(model) / backend_queues.most_at_once(model.name)
