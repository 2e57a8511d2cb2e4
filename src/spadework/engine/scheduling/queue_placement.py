"""Chooses the queues of a request: its preferred healthy models, or where its prefix is.

Prefix affinity: the backend whose prompt cache already holds a document is preferred.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.engine.scheduling.backend_queues import BackendQueues
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.health import Health
    from spadework.engine.scheduling.slot_requests import Model, SlotRequest

_PREFIXES_REMEMBERED = 4096


class PrefixAffinity:
    """Remembers by digest the backend that each prefix was sent to last; drops the oldest."""

    def __init__(self) -> None:
        self._backends: OrderedDict[tuple[str, str], str] = OrderedDict()

    def remember(self, digest: str, model: Model) -> None:
        """Note that a model has the prefix of this digest in its cache; an empty digest is none."""
        if not digest:
            return
        key = (model.name, digest)
        self._backends[key] = model.backend
        self._backends.move_to_end(key)
        if len(self._backends) > _PREFIXES_REMEMBERED:
            self._backends.popitem(last=False)

    def has(self, digest: str, model: Model) -> bool:
        """Tell whether this backend was the last to be sent a prefix for this model."""
        return bool(digest) and self._backends.get((model.name, digest)) == model.backend


class QueuePlacement:
    """All waiting requests, and the models in whose queues each of them is.

    Args:
        all_queues: the backends by name.
        health: tells which models may be asked.
    """

    def __init__(self, all_queues: Mapping[str, BackendQueues], health: Health) -> None:
        self.waiting: dict[str, Waiting] = {}
        self.queued_at: dict[str, tuple[Model, ...]] = {}
        self.affinity = PrefixAffinity()
        self._backend_queues = all_queues
        self._health = health
        self._waiting_for_prefix_cache: set[str] = set()
        """Requests that wait for the one server that has read their prefix."""

    def add(self, waiting: Waiting, models: tuple[Model, ...]) -> None:
        """Queue a new request."""
        self.waiting[waiting.request.id] = waiting
        self._queue(waiting, self._with_prefix(waiting, models))

    def move(self, waiting: Waiting, models: tuple[Model, ...]) -> None:
        """Queue a request anew, for these models and for no others."""
        self._waiting_for_prefix_cache.discard(waiting.request.id)
        self._queue(waiting, models)

    def take(self, waiting: Waiting, model: Model) -> None:
        """Take a granted request out of its other queues; this model's queue no longer holds it."""
        request_id = waiting.request.id
        self.queued_at[request_id] = tuple(
            other for other in self.queued_at[request_id] if other != model
        )
        self.affinity.remember(waiting.request.prefix_digest, model)
        self.forget(waiting)

    def forget(self, waiting: Waiting) -> None:
        """Let a request go."""
        self._queue(waiting, ())
        self._waiting_for_prefix_cache.discard(waiting.request.id)
        del self.queued_at[waiting.request.id], self.waiting[waiting.request.id]

    def expired(self, now: float) -> list[Waiting]:
        """The requests whose deadline has come."""
        return [
            one
            for one in self.waiting.values()
            if one.request.deadline is not None and one.request.deadline <= now
        ]

    def acceptable(
        self, request: SlotRequest, now: float, max_suspension: float
    ) -> tuple[Model, ...]:
        """Name the first tier's healthy models; where no tier has any, those worth waiting for."""
        for tier in request.tiers:
            usable = [model for model in tier if self._health.lets_pass(model, now)]
            if usable:
                return tuple(dict.fromkeys(usable))
        soon = (
            model
            for tier in request.tiers
            for model in tier
            if self._health.is_worth_waiting_for(model, now, max_suspension)
        )
        return tuple(dict.fromkeys(soon))

    def release_prefix_waiters(self, now: float, max_suspension: float) -> None:
        """Queue at every model what waits in vain for the server that has its prefix."""
        for request_id in sorted(self._waiting_for_prefix_cache):
            waiting = self.waiting[request_id]
            (cached_at,) = self.queued_at[request_id]
            if not self._prefix_is_worth_it(waiting, cached_at):
                self.move(waiting, self.acceptable(waiting.request, now, max_suspension))

    def _with_prefix(self, waiting: Waiting, models: tuple[Model, ...]) -> tuple[Model, ...]:
        """Only the server that has the prefix, where that costs no more than one slot of wait."""
        for model in models:
            if self._prefix_is_worth_it(waiting, model):
                self._waiting_for_prefix_cache.add(waiting.request.id)
                return (model,)
        return models

    def _prefix_is_worth_it(self, waiting: Waiting, model: Model) -> bool:
        if not self.affinity.has(waiting.request.prefix_digest, model):
            return False
        backend_queues = self._backend_queues[model.backend]
        queue = backend_queues.queues.get(model.name)
        ahead = queue.ahead_of(waiting) if queue else 0
        return not backend_queues.needs_swap(model.name) and ahead < backend_queues.most_at_once(
            model.name
        )

    def _queue(self, waiting: Waiting, models: tuple[Model, ...]) -> None:
        before = self.queued_at.get(waiting.request.id, ())
        for model in set(before) - set(models):
            self._backend_queues[model.backend].remove(model.name, waiting)
        for model in models:
            if model not in before:
                self._backend_queues[model.backend].add(model.name, waiting)
        self.queued_at[waiting.request.id] = models
