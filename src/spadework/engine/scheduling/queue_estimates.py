"""Refusals of requests that get no slot, and estimates for those that wait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.engine.scheduling.slot_requests import Refused
from spadework.engine.scheduling.wait_estimate import place_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.engine.scheduling.adaptive_concurrency import ConcurrencyLimits
    from spadework.engine.scheduling.backend_queues import BackendQueues
    from spadework.engine.scheduling.costs import Costs
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.health import Health
    from spadework.engine.scheduling.queue_placement import QueuePlacement
    from spadework.engine.scheduling.slot_requests import Model, Policy, QueuePosition, SlotRequest


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
