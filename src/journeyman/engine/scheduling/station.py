"""One backend as the scheduler sees it: its slots, its queues, the model that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.engine.scheduling.affinity import least_turn, model_to_serve
from journeyman.engine.scheduling.fairness import FairQueue
from journeyman.engine.scheduling.values import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from journeyman.engine.scheduling.costs import Costs
    from journeyman.engine.scheduling.fairness import Waiting
    from journeyman.engine.scheduling.values import Capacity, Request


@dataclass(frozen=True, slots=True)
class Running:
    """A request that has a slot; `since` is when it got it, `cold` whether that loads a model.

    `answering` tells whether its first token has come.
    """

    request: Request
    model: Model
    since: float
    cold: bool
    answering: bool = False


class Station:
    """The slots and the queues of one backend."""

    def __init__(self, name: str, capacity: Capacity) -> None:
        self.name = name
        self.capacity = capacity
        self.running: dict[str, Running] = {}
        self.queues: dict[str, FairQueue] = {}
        self.loaded: str | None = None
        self.swaps = 0
        self._warm = False
        self._turn_began = float("-inf")
        self._left: dict[str, float] = {}

    @property
    def load(self) -> float:
        """The share of the slots that is taken."""
        return len(self.running) / self.capacity.slots

    def free(self, name: str) -> int:
        """How many more requests for a model may run at once."""
        of_model = sum(running.model.name == name for running in self.running.values())
        free = min(self.capacity.slots - len(self.running), self.capacity.of_model(name) - of_model)
        return max(0, free)

    def add(self, name: str, waiting: Waiting) -> None:
        """Queue a request for a model."""
        self.queues.setdefault(name, FairQueue()).add(waiting)

    def remove(self, name: str, waiting: Waiting) -> None:
        """Let a request leave a model's queue."""
        self.queues[name].remove(waiting)
        self._drop_if_empty(name)

    def ready(
        self, usable: Callable[[Model], bool], now: float, max_wait: float, costs: Costs
    ) -> list[str]:
        """Name the models that could be given one more request now."""
        names = [name for name in self.queues if usable(Model(self.name, name))]
        if self.capacity.exclusive:
            chosen = self._chosen(names, now, max_wait, costs)
            names = [] if chosen is None else [chosen]
        return [name for name in names if self.free(name)]

    def stood_back_since(self, name: str) -> float:
        """Since when a model that something waits for has not been served."""
        oldest = self.queues[name].oldest()
        waits_since = oldest.since if oldest else float("-inf")
        return max(waits_since, self._left.get(name, waits_since))

    def next_in(self, name: str, overdue: float) -> Waiting | None:
        """Whose turn it is for a model; whoever waited longest when it has to be loaded."""
        queue = self.queues[name]
        return queue.oldest() if self.needs_swap(name) else queue.first(overdue)

    def needs_swap(self, name: str) -> bool:
        """Tell whether another model must go for this one to come."""
        return self.capacity.exclusive and self.loaded != name

    def grant(self, name: str, waiting: Waiting, now: float) -> Running:
        """Give a request a slot, and the backend another model if it needs one."""
        self.queues[name].take(waiting)
        if self.needs_swap(name):
            self._swap_to(name, now)
        self._drop_if_empty(name)
        cold = self.capacity.exclusive and not self._warm
        running = Running(waiting.request, Model(self.name, name), now, cold)
        self.running[waiting.request.id] = running
        return running

    def note_warm(self) -> None:
        """Note that the model has answered since it was loaded."""
        self._warm = True

    def note_loaded(self, name: str | None) -> None:
        """Take the server's own word for the model that it holds, while nothing runs."""
        if not self.running:
            self.loaded, self._warm = name, name is not None

    def _swap_to(self, name: str, now: float) -> None:
        if self.loaded is not None:
            self.swaps += 1
            self._left[self.loaded] = now
        self.loaded, self._warm, self._turn_began = name, False, now

    def _chosen(self, names: list[str], now: float, max_wait: float, costs: Costs) -> str | None:
        return model_to_serve(
            self.loaded,
            {name: self.stood_back_since(name) for name in names},
            idle=not self.running,
            due_since=now - max_wait,
            in_its_least_turn=self.loaded is not None
            and now <= self._turn_began + least_turn(costs.swap(Model(self.name, self.loaded))),
        )

    def _drop_if_empty(self, name: str) -> None:
        if not self.queues[name]:
            del self.queues[name]
            self._left.pop(name, None)
