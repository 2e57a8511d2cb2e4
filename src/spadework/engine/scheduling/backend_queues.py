"""The scheduler's state of one backend: its slots, its queues and its loaded model.

Model affinity: requests are grouped by model, since an exclusive backend swaps models slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.engine.scheduling.fair_queue import FairQueue
from spadework.engine.scheduling.slot_requests import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spadework.engine.scheduling.adaptive_concurrency import ConcurrencyLimits
    from spadework.engine.scheduling.costs import Costs
    from spadework.engine.scheduling.fair_queue import Waiting
    from spadework.engine.scheduling.slot_requests import Capacity, Policy, SlotRequest

SERVED_FOR_EACH_SECOND_OF_SWAP = 4.0


def least_turn(swap: float) -> float:
    """Seconds that a model keeps its backend while something waits for it, its swap included.

    Without it, a backlog longer than `max_wait` would be served with a swap for every few
    requests; with it, at most a fifth of the time goes into swaps, whatever the load.
    """
    return swap * (1 + SERVED_FOR_EACH_SECOND_OF_SWAP)


def model_to_serve(
    loaded: str | None,
    standing_back: Mapping[str, float],
    *,
    idle: bool,
    due_since: float,
    in_its_least_turn: bool,
) -> str | None:
    """Choose the model that the next slot goes to.

    Args:
        loaded: the model that the backend holds.
        standing_back: every model with waiting requests, and since when none was served.
        idle: whether nothing runs on the backend; a swap then cuts nothing off.
        due_since: a model that has stood back since this time or longer has waited long enough.
        in_its_least_turn: whether the loaded model's turn is too young to be ended.

    Returns:
        The loaded model while something waits for it and no other one's turn has come; else the
        one that has stood back longest, once nothing runs; else None.
    """
    others = {name: since for name, since in standing_back.items() if name != loaded}
    longest = min(others, key=lambda name: others[name], default=None)
    if loaded in standing_back:
        is_due = longest is not None and others[longest] <= due_since
        if in_its_least_turn or not is_due:
            return loaded
    return longest if idle else None


_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Running:
    """A request that has a slot; `since` is when it got it, `cold` whether that loads a model.

    `answering` tells whether its first token has come; `waiting` is how it waited.
    """

    request: SlotRequest
    model: Model
    since: float
    cold: bool
    waiting: Waiting
    answering: bool = False


class BackendQueues:
    """The slots and the queues of one backend.

    Args:
        name: the backend's name.
        capacity: what it takes at once.
        limits: what its models were found to take at once.
    """

    def __init__(self, name: str, capacity: Capacity, limits: ConcurrencyLimits) -> None:
        self.name = name
        self.capacity = capacity
        self.running: dict[str, Running] = {}
        self.queues: dict[str, FairQueue] = {}
        self.loaded: str | None = None
        self.swaps = 0
        self._limits = limits
        self._warm = False
        self._turn_began = _NEVER
        self._left: dict[str, float] = {}
        self._interrupted: str | None = None
        """The model whose batch work stands back for questions to the loaded one."""
        self._interrupted_at = _NEVER
        """When that began, or when the first question got its first token: loading takes long."""
        self._detour_is_warm = False
        self._detour_ended = _NEVER

    @property
    def load(self) -> float:
        """The share of the slots that is taken."""
        return len(self.running) / self.capacity.slots

    def most_at_once(self, name: str) -> int:
        """How many requests a model takes at once."""
        most = self.capacity.of_model(name)
        limit = self._limits.of(Model(self.name, name))
        return most if limit is None else min(most, limit)

    def free(self, name: str) -> int:
        """How many more requests for a model may run at once."""
        of_model = sum(running.model.name == name for running in self.running.values())
        free = min(self.capacity.slots - len(self.running), self.most_at_once(name) - of_model)
        return max(0, free)

    def add(self, name: str, waiting: Waiting) -> None:
        """Queue a request for a model."""
        self.queues.setdefault(name, FairQueue()).add(waiting)

    def remove(self, name: str, waiting: Waiting) -> None:
        """Let a request leave a model's queue."""
        self.queues[name].remove(waiting)
        self._drop_if_empty(name)

    def ready(
        self, usable: Callable[[Model], bool], now: float, policy: Policy, costs: Costs
    ) -> list[str]:
        """Name the models that could be given one more request now."""
        names = [name for name in self.queues if usable(Model(self.name, name))]
        if self.capacity.exclusive:
            chosen = self._chosen(names, now, policy, costs)
            names = [] if chosen is None else [chosen]
        return [name for name in names if self.free(name)]

    def stood_back_since(self, name: str) -> float:
        """For each model with waiting requests: since when none was served."""
        oldest = self.queues[name].oldest()
        waits_since = oldest.since if oldest else _NEVER
        return max(waits_since, self._left.get(name, waits_since))

    def next_in(self, name: str, now: float, policy: Policy) -> Waiting | None:
        """The next request for a model; the longest waiting one if the model must be loaded."""
        queue = self.queues[name]
        if self._is_preemption(name, now, policy):
            return queue.question()
        return queue.oldest() if self.needs_swap(name) else queue.first(now - policy.max_wait)

    def needs_swap(self, name: str) -> bool:
        """Tell whether another model must go for this one to come."""
        return self.capacity.exclusive and self.loaded != name

    def interrupts(self, waiting: Waiting, name: str) -> bool:
        """Tell whether a request is a question to a model that batch work of another keeps away."""
        is_question = waiting.request.kind == "interactive"
        return is_question and self.needs_swap(name) and self._only_batch_waits()

    def detour_in(self, now: float, interval: float) -> float:
        """Seconds until a question to another model may interrupt batch work again."""
        return max(0.0, self._detour_ended + interval - now)

    def next_change(self, now: float, policy: Policy) -> float | None:
        """When a question that waits may interrupt, if nothing happens before; None for never."""
        at = self._detour_ended + policy.interactive_patience
        if self._interrupted is not None:
            at = self._interrupted_at + policy.interactive_patience
        return at if self.capacity.exclusive and self.queues and at > now else None

    def grant(self, name: str, waiting: Waiting, now: float, policy: Policy) -> Running:
        """Give a request a slot, and the backend another model if it needs one."""
        is_detour = self._is_preemption(name, now, policy)
        self.queues[name].take(waiting)
        if self.needs_swap(name):
            self._swap_to(name, now, is_detour=is_detour)
        self._drop_if_empty(name)
        cold = self.capacity.exclusive and not self._warm
        running = Running(waiting.request, Model(self.name, name), now, cold, waiting)
        self.running[waiting.request.id] = running
        return running

    def note_warm(self, now: float) -> None:
        """Note that the model has answered since it was loaded."""
        if self._interrupted is not None and not self._detour_is_warm:
            self._interrupted_at, self._detour_is_warm = now, True
        self._warm = True

    def note_loaded(self, name: str | None) -> None:
        """Take the server's own word for the model that it holds, while nothing runs."""
        if not self.running:
            self.loaded, self._warm = name, name is not None

    def _swap_to(self, name: str, now: float, *, is_detour: bool) -> None:
        if self.loaded is not None:
            self.swaps += 1
            self._left[self.loaded] = now
        if is_detour and self._interrupted is None:
            self._interrupted, self._interrupted_at = self.loaded, now
            self._detour_is_warm = False
        elif not is_detour:
            self._end_preemption(now)
        self.loaded, self._warm, self._turn_began = name, False, now

    def _end_preemption(self, now: float) -> None:
        if self._interrupted is not None:
            self._interrupted, self._detour_ended = None, now

    def _chosen(self, names: list[str], now: float, policy: Policy, costs: Costs) -> str | None:
        idle = not self.running
        # The server went back by itself, or there is nothing to go back to.
        if self._interrupted == self.loaded or self._interrupted not in self.queues:
            self._end_preemption(now)
        if self._interrupted in names:
            name = self._next_question(names, now, policy)
            chosen = self._interrupted if name is None else name
            return chosen if idle or chosen == self.loaded else None
        if question := self._next_question(names, now, policy):
            return question if idle else None
        return model_to_serve(
            self.loaded,
            {name: self.stood_back_since(name) for name in names},
            idle=idle,
            due_since=now - policy.max_wait,
            in_its_least_turn=self.loaded is not None
            and now <= self._turn_began + least_turn(costs.swap(Model(self.name, self.loaded))),
        )

    def _next_question(self, names: list[str], now: float, policy: Policy) -> str | None:
        """Name the model of the question that interrupts now; within a detour the loaded first."""
        asked = {
            name: question.since
            for name in names
            if self._is_preemption(name, now, policy) and (question := self.queues[name].question())
        }
        if self.loaded in asked:
            return self.loaded
        return min(asked, key=lambda name: asked[name], default=None)

    def _is_preemption(self, name: str, now: float, policy: Policy) -> bool:
        """Tell whether a model is served now for the sake of its questions alone."""
        if not self.capacity.exclusive or self.queues[name].question() is None:
            return False
        if self._interrupted is not None:
            in_time = now < self._interrupted_at + policy.interactive_patience
            return name != self._interrupted and in_time
        if name == self.loaded or self.detour_in(now, policy.interactive_patience):
            return False
        return self._only_batch_waits()

    def _only_batch_waits(self) -> bool:
        """Tell whether batch work alone waits for the loaded model."""
        queue = self.queues.get(self.loaded) if self.loaded else None
        return queue is not None and queue.question() is None

    def _drop_if_empty(self, name: str) -> None:
        if not self.queues[name]:
            del self.queues[name]
            self._left.pop(name, None)
