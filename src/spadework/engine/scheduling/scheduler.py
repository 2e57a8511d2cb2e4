"""The scheduler: which requests wait, run, and run next. Pure; `slot_manager` drives it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.engine.scheduling.adaptive_concurrency import ConcurrencyLimits
from spadework.engine.scheduling.backend_queues import BackendQueues
from spadework.engine.scheduling.costs import Costs
from spadework.engine.scheduling.fair_queue import Waiting
from spadework.engine.scheduling.health import Health
from spadework.engine.scheduling.queue_placement import QueuePlacement
from spadework.engine.scheduling.slot_requests import Failed, Granted, Model, Policy, Succeeded
from spadework.engine.scheduling.status import status_report
from spadework.engine.scheduling.wait_estimate import Estimates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spadework.engine.scheduling.backend_queues import Running
    from spadework.engine.scheduling.slot_requests import (
        Capacity,
        Decision,
        QueuePosition,
        Refused,
        RequestResult,
        SlotRequest,
    )
    from spadework.engine.scheduling.status import StatusReport

_MOST_TURNS = 1000
_MOST_FAILED_PROBES = 4
"""Of a model that has answered before: then its failure is taken for one that lasts."""


class Scheduler:
    """Decides which request gets a slot of which model, and when.

    Call `decide` after every other call, and when `next_decision_at` has come.

    Args:
        capacities: what each backend takes at once, by its name.
        policy: the numbers to go by.
        clock: tells the time in seconds; it never goes back.
        jitter: returns 0 to 1.
    """

    def __init__(
        self,
        capacities: Mapping[str, Capacity],
        policy: Policy | None = None,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self.policy = policy or Policy()
        self._clock = clock
        self._health = Health(self.policy, jitter)
        self._limits = ConcurrencyLimits(jitter)
        self._costs = Costs(self.policy.assumed_service, self.policy.assumed_swap)
        self._backend_queues: dict[str, BackendQueues] = {}
        for name, capacity in capacities.items():
            self.configure(name, capacity)
        self._placement = QueuePlacement(self._backend_queues, self._health)
        self._estimates = Estimates(
            self._backend_queues, self._placement, self._health, self._limits, self._costs
        )
        self._running: dict[str, BackendQueues] = {}
        self._turns: dict[str, Waiting] = {}
        """Where requests stood in line that a server refused for having too many."""
        self._answers: Counter[Model] = Counter()
        self.health_changes = 0
        """Counts how often a model or a backend was suspended or let in again."""
        self._shut: frozenset[tuple[str, float | None]] = frozenset()
        self._to_probe: set[str] = set()
        self._to_probe_eagerly: set[str] = set()
        self._submitted = 0
        self._granted = 0
        self._last_grant: dict[Model, int] = {}

    def configure(self, backend: str, capacity: Capacity) -> None:
        """Take a new or changed capacity; what runs goes on."""
        if backend in self._backend_queues:
            self._backend_queues[backend].capacity = capacity
        else:
            self._backend_queues[backend] = BackendQueues(backend, capacity, self._limits)

    def note_loaded(self, backend: str, model: str | None) -> None:
        """Take a server's own word for the model that it holds; ignored while something runs."""
        self._backend_queues[backend].note_loaded(model)

    def submit(self, request: SlotRequest) -> Refused | None:
        """Queue a request, or refuse it at once.

        Raises:
            ValueError: its id is taken, it names no model, or a backend that is not known.
        """
        models = [model for tier in request.tiers for model in tier]
        if request.id in self._placement.waiting or request.id in self._running:
            raise ValueError(f"request {request.id!r} is there already")
        if not models or not {model.backend for model in models} <= self._backend_queues.keys():
            raise ValueError(f"request {request.id!r} names no model, or an unknown backend")
        now = self._clock()
        turn = self._turns.pop(request.id, None)
        waiting = replace(turn, request=request) if turn else Waiting(request, now, self._submitted)
        for model in models:
            self._want(model.backend, now)
        acceptable = self._placement.acceptable(request, now, self.policy.max_suspension)
        if not acceptable:
            return self._estimates.unhealthy(request, now)
        if self._is_full(request):
            return self._estimates.busy(waiting, acceptable, now, self.policy)
        self._submitted += 1
        self._placement.add(waiting, acceptable)
        return None

    def decide(self) -> list[Decision]:
        """Grant every slot that can be granted now, and refuse whoever waits in vain."""
        now = self._clock()
        decisions: list[Decision] = [self._late(one, now) for one in self._placement.expired(now)]
        while True:
            decisions += self._follow_health(now)
            self._placement.release_prefix_waiters(now, self.policy.max_suspension)
            granted = self._grant_one(now)
            if granted is None:
                return decisions
            decisions.append(granted)

    def next_decision_at(self) -> float | None:
        """When `decide` has something to do even if nothing happens; None for never."""
        if not (self._placement.waiting or self._to_probe or self._to_probe_eagerly):
            return None
        times = [
            deadline
            for one in self._placement.waiting.values()
            if (deadline := one.request.deadline) is not None
        ]
        now = self._clock()
        changes = [
            self._health.next_change(now),
            self._limits.next_change(now),
            self._health.eager_from(self._to_probe_eagerly),
        ]
        changes += [
            backend_queues.next_change(now, self.policy)
            for backend_queues in self._backend_queues.values()
        ]
        return min([*times, *(one for one in changes if one is not None)], default=None)

    def first_token(self, request_id: str, seconds: float) -> None:
        """Learn from the first token of a request that runs, `seconds` after it was asked."""
        backend_queues = self._running.get(request_id)
        if backend_queues is None:
            return
        running = backend_queues.running[request_id]
        self._costs.add_first_token(running.model, seconds, cold=running.cold)
        backend_queues.running[request_id] = replace(running, answering=True)
        backend_queues.note_warm(self._clock())

    def finish(self, request_id: str, result: RequestResult) -> None:
        """Free the slot of a request that ran, and learn from how it ended."""
        backend_queues = self._running.pop(request_id, None)
        if backend_queues is None:
            return
        running = backend_queues.running.pop(request_id)
        now = self._clock()
        if isinstance(result, Failed) and result.scope == "concurrency":
            self._note_refusal(backend_queues, running, result, now)
            return
        self._health.note(running.model, request_id, result, now)
        if isinstance(result, Succeeded):
            self._answers[running.model] += 1
            self._limits.note_answer(
                running.model, backend_queues.capacity.of_model(running.model.name)
            )
            swap = self._costs.swap(running.model) if running.cold else 0.0
            self._costs.add_service(running.model, max(0.0, now - running.since - swap))

    def cancel(self, request_id: str) -> None:
        """Take back a request, whether it waits, runs or is gone already."""
        if waiting := self._placement.waiting.get(request_id):
            self._placement.forget(waiting)
        if backend_queues := self._running.pop(request_id, None):
            running = backend_queues.running.pop(request_id)
            self._health.give_up(running.model, request_id)

    def probes_due(self) -> dict[str, str]:
        """Claim the probes that are due now, by backend; each claim must be noted or given up.

        A backend that is suspended is probed only if something was wanted of it meanwhile.
        """
        now = self._clock()
        for wanted in (self._to_probe, self._to_probe_eagerly):
            wanted -= {name for name in wanted if self._health.is_closed(name, now)}
        due = {}
        for name in sorted(self._to_probe | self._to_probe_eagerly):
            eager = name in self._to_probe_eagerly
            if claim := self._health.take_probe(name, now, eager=eager):
                due[name] = claim
        self._to_probe -= due.keys()
        self._to_probe_eagerly -= due.keys()
        return due

    def note_probe(self, backend: str, claim: str = "", failure: str = "") -> None:
        """Learn how a backend answered a question that takes no slot; no failure is well.

        Without a claim it can only tell that a backend is away, not that it is back.
        """
        self._health.note_probe(backend, claim, failure, self._clock())

    def give_up_probe(self, backend: str, claim: str) -> None:
        """Take back a claim from which nothing was learnt: the probe is due again."""
        self._health.give_up_probe(backend, claim)
        self._to_probe.add(backend)

    def forget(self, backend: str) -> None:
        """Forget the health of a backend: its name stands for another server now."""
        self._health.forget(backend)
        self._limits.forget(backend)

    def suspension(self, model: Model) -> str:
        """Say why a model, or with an empty name a whole backend, may not be asked now.

        Returns nothing where it may. A backend is probed when that is due.
        """
        now = self._clock()
        if self._health.lets_pass(model, now):
            return ""
        self._want(model.backend, now)
        return self._health.suspension(model, now)

    def want_back(self, model: Model) -> str:
        """Have the backend of a model probed as soon as that makes sense: batch work waits for it.

        Returns:
            Why the model, or with an empty name the backend, is suspended; empty if it is not.
        """
        why = self.suspension(model)
        if why and not self._health.is_closed(model.backend, self._clock()):
            self._to_probe_eagerly.add(model.backend)
        return why

    def answers_of(self, model: Model) -> int:
        """How many requests a model has answered so far."""
        return self._answers[model]

    def is_worth_waiting_for(self, model: Model) -> bool:
        """Tell whether what stands against a model may pass: by its kind, or as it did before."""
        if self._health.is_temporary(model):
            return True
        was_well = self._answers[model] > 0
        return was_well and self._health.failed_probes(model) < _MOST_FAILED_PROBES

    def shut_since(self, model: Model) -> float:
        """Since when a model, or with an empty name a backend, is suspended; now if it is not."""
        return self._health.shut_since(model, self._clock())

    def take_probe(self, backend: str) -> str:
        """Claim the probe of one backend if it is due; the claim is empty where it is not."""
        return self._health.take_probe(backend, self._clock())

    def place_of(self, request_id: str) -> QueuePosition | None:
        """Tell where a request stands; None if it does not wait."""
        waiting = self._placement.waiting.get(request_id)
        if waiting is None:
            return None
        models = self._placement.queued_at[request_id]
        return self._estimates.best_place(waiting, models, self._clock(), self.policy)

    def snapshot(self) -> StatusReport:
        """Show everything as it stands."""
        return status_report(
            self._clock(),
            self._backend_queues.values(),
            self._health,
            self._placement.waiting,
            self._placement.queued_at,
        )

    def _want(self, backend: str, now: float) -> None:
        if not self._health.is_closed(backend, now):
            self._to_probe.add(backend)

    # --- decisions ---

    def _grant_one(self, now: float) -> Granted | None:
        """Grant one slot: on the least loaded backend, else on the one that was named first."""
        overdue = now - self.policy.max_wait
        best: tuple[tuple[bool, float, bool, int], Waiting, Model] | None = None
        for backend_queues in self._backend_queues.values():
            name = self._next_model(backend_queues, now, overdue)
            waiting = None if name is None else backend_queues.next_in(name, now, self.policy)
            if name is None or waiting is None:
                continue
            model = Model(backend_queues.name, name)
            order = (
                backend_queues.needs_swap(name),
                backend_queues.load,
                not backend_queues.queues[name].is_pressing(overdue),
                self._placement.queued_at[waiting.request.id].index(model),
            )
            if best is None or order < best[0]:
                best = order, waiting, model
        return None if best is None else self._grant(best[1], best[2], now)

    def _next_model(self, backend_queues: BackendQueues, now: float, overdue: float) -> str | None:
        """Choose between the models of one backend: what presses first, then in turns."""
        ready = backend_queues.ready(
            lambda model: (
                self._health.lets_pass(model, now) and not self._limits.is_paused(model, now)
            ),
            now,
            self.policy,
            self._costs,
        )
        return min(
            ready,
            key=lambda name: (
                not backend_queues.queues[name].is_pressing(overdue),
                self._last_grant.get(Model(backend_queues.name, name), -1),
                name,
            ),
            default=None,
        )

    def _grant(self, waiting: Waiting, model: Model, now: float) -> Granted:
        request, backend_queues = waiting.request, self._backend_queues[model.backend]
        running = backend_queues.grant(model.name, waiting, now, self.policy)
        self._placement.take(waiting, model)
        self._running[request.id] = backend_queues
        self._health.start(model, request.id, now)
        self._granted += 1
        self._last_grant[model] = self._granted
        swap = self._costs.swap(model) if running.cold else 0.0
        return Granted(request.id, model, running.cold, swap)

    def _follow_health(self, now: float) -> list[Refused]:
        """Queue anew after a breaker has moved; refuse those for whom nothing is left."""
        shut = self._health.shut(now)
        if shut == self._shut:
            return []
        self._shut = shut
        self.health_changes += 1
        refused = []
        for waiting in list(self._placement.waiting.values()):
            acceptable = self._placement.acceptable(
                waiting.request, now, self.policy.max_suspension
            )
            if not acceptable:
                self._placement.forget(waiting)
                refused.append(self._estimates.unhealthy(waiting.request, now))
                continue
            self._placement.move(waiting, acceptable)
            for model in acceptable:
                self._want(model.backend, now)
        return refused

    def _late(self, waiting: Waiting, now: float) -> Refused:
        models = self._placement.queued_at[waiting.request.id]
        refused = self._estimates.late(waiting, models, now, self.policy)
        self._placement.forget(waiting)
        return refused

    def _note_refusal(
        self, backend_queues: BackendQueues, running: Running, result: Failed, now: float
    ) -> None:
        """Learn that a server takes no more at once; it answers, so nothing is wrong with it."""
        model, request = running.model, running.request
        told = result.retry_after
        if told is not None and told > self.policy.max_suspension:
            self._health.note(model, request.id, replace(result, scope="model"), now)
            return
        self._health.note(model, request.id, Failed("request"), now)
        others = sum(one.model == model for one in backend_queues.running.values())
        self._limits.note_refusal(model, others, running.since, now, told)
        if len(self._turns) >= _MOST_TURNS:
            del self._turns[next(iter(self._turns))]
        self._turns[request.id] = running.waiting

    def _is_full(self, request: SlotRequest) -> bool:
        waiting = self._placement.waiting
        of_session = sum(
            one.request.session == request.session and one.request.kind == request.kind
            for one in waiting.values()
        )
        return (
            len(waiting) >= self.policy.max_waiting
            or of_session >= self.policy.max_waiting_of_session
        )
