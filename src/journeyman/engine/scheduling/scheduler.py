"""The scheduler: who waits, who runs, who is next. Pure; `gate` drives it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from journeyman.engine.scheduling.costs import Costs
from journeyman.engine.scheduling.estimate import place_in
from journeyman.engine.scheduling.fairness import Waiting
from journeyman.engine.scheduling.health import Health
from journeyman.engine.scheduling.homes import Homes
from journeyman.engine.scheduling.snapshot import take_snapshot
from journeyman.engine.scheduling.station import Station
from journeyman.engine.scheduling.values import Granted, Model, Policy, Refused, Succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from journeyman.engine.scheduling.snapshot import Place, Snapshot
    from journeyman.engine.scheduling.values import Capacity, Decision, Outcome, Request


class Scheduler:
    """Decides who may ask which model when.

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
        self._stations = {name: Station(name, one) for name, one in capacities.items()}
        self._health = Health(self.policy, jitter)
        self._costs = Costs(self.policy.assumed_service, self.policy.assumed_swap)
        self._waiting: dict[str, Waiting] = {}
        self._queued_at: dict[str, tuple[Model, ...]] = {}
        self._holding_out: set[str] = set()
        self._running: dict[str, Station] = {}
        self._homes = Homes()
        self._shut: frozenset[tuple[str, float | None]] = frozenset()
        self._to_probe: set[str] = set()
        self._submitted = 0
        self._granted = 0
        self._last_grant: dict[Model, int] = {}

    def configure(self, backend: str, capacity: Capacity) -> None:
        """Take a new or changed capacity; what runs goes on."""
        if backend in self._stations:
            self._stations[backend].capacity = capacity
        else:
            self._stations[backend] = Station(backend, capacity)

    def note_loaded(self, backend: str, model: str | None) -> None:
        """Take a server's own word for the model that it holds; ignored while something runs."""
        self._stations[backend].note_loaded(model)

    def submit(self, request: Request) -> Refused | None:
        """Queue a request, or refuse it at once.

        Raises:
            ValueError: its id is taken, it names no model, or a backend that is not known.
        """
        models = [model for tier in request.tiers for model in tier]
        if request.id in self._waiting or request.id in self._running:
            raise ValueError(f"request {request.id!r} is there already")
        if not models or not {model.backend for model in models} <= self._stations.keys():
            raise ValueError(f"request {request.id!r} names no model, or an unknown backend")
        now = self._clock()
        waiting = Waiting(request, now, self._submitted)
        for model in models:
            self._want(model.backend, now)
        acceptable = self._acceptable(request, now)
        if not acceptable:
            return self._unhealthy(request, now)
        if self._is_full(request):
            return self._busy(waiting, acceptable, now)
        self._submitted += 1
        self._waiting[request.id] = waiting
        self._queue(waiting, self._with_home(waiting, acceptable))
        return None

    def decide(self) -> list[Decision]:
        """Grant every slot that can be granted now, and refuse whoever waits in vain."""
        now = self._clock()
        decisions: list[Decision] = [self._late(one, now) for one in self._expired(now)]
        while True:
            decisions += self._follow_health(now)
            self._end_holding_out(now)
            granted = self._grant_one(now)
            if granted is None:
                return decisions
            decisions.append(granted)

    def next_decision_at(self) -> float | None:
        """When `decide` has something to do even if nothing happens; None for never."""
        if not self._waiting and not self._to_probe:
            return None
        times = [
            deadline
            for one in self._waiting.values()
            if (deadline := one.request.deadline) is not None
        ]
        change = self._health.next_change(self._clock())
        return min([*times, *([] if change is None else [change])], default=None)

    def first_token(self, request_id: str, seconds: float) -> None:
        """Learn from the first token of a request that runs, `seconds` after it was asked."""
        station = self._running.get(request_id)
        if station is None:
            return
        running = station.running[request_id]
        self._costs.add_first_token(running.model, seconds, cold=running.cold)
        station.running[request_id] = replace(running, answering=True)
        station.note_warm()

    def finish(self, request_id: str, outcome: Outcome) -> None:
        """Free the slot of a request that ran, and learn from how it ended."""
        station = self._running.pop(request_id, None)
        if station is None:
            return
        running = station.running.pop(request_id)
        now = self._clock()
        self._health.note(running.model, request_id, outcome, now)
        if isinstance(outcome, Succeeded):
            swap = self._costs.swap(running.model) if running.cold else 0.0
            self._costs.add_service(running.model, max(0.0, now - running.since - swap))

    def cancel(self, request_id: str) -> None:
        """Take back a request, whether it waits, runs or is gone already."""
        if waiting := self._waiting.get(request_id):
            self._forget(waiting)
        if station := self._running.pop(request_id, None):
            running = station.running.pop(request_id)
            self._health.give_up(running.model, request_id)

    def probes_due(self) -> dict[str, str]:
        """Claim the probes that are due now, by backend; each claim must be noted or given up.

        A backend that is set aside is probed only if something was wanted of it meanwhile.
        """
        now = self._clock()
        self._to_probe = {name for name in self._to_probe if not self._health.is_closed(name, now)}
        claims = {name: self._health.take_probe(name, now) for name in sorted(self._to_probe)}
        due = {name: claim for name, claim in claims.items() if claim}
        self._to_probe -= due.keys()
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

    def set_aside(self, model: Model) -> str:
        """Say why a model, or with an empty name a whole backend, may not be asked now.

        Returns nothing where it may. A backend is probed when that is due.
        """
        now = self._clock()
        if self._health.lets_pass(model, now):
            return ""
        self._want(model.backend, now)
        return self._health.set_aside(model, now)

    def take_probe(self, backend: str) -> str:
        """Claim the probe of one backend if it is due; the claim is empty where it is not."""
        return self._health.take_probe(backend, self._clock())

    def place_of(self, request_id: str) -> Place | None:
        """Tell where a request stands; None if it does not wait."""
        waiting = self._waiting.get(request_id)
        if waiting is None:
            return None
        return self._best_place(waiting, self._queued_at[request_id], self._clock())

    def snapshot(self) -> Snapshot:
        """Show everything as it stands."""
        return take_snapshot(
            self._clock(), self._stations.values(), self._health, self._waiting, self._queued_at
        )

    def _want(self, backend: str, now: float) -> None:
        if not self._health.is_closed(backend, now):
            self._to_probe.add(backend)

    # --- where a request is queued ---

    def _acceptable(self, request: Request, now: float) -> tuple[Model, ...]:
        """Name the first tier's healthy models; where no tier has any, those worth waiting for."""
        for tier in request.tiers:
            usable = [model for model in tier if self._health.lets_pass(model, now)]
            if usable:
                return tuple(dict.fromkeys(usable))
        soon = (
            model
            for tier in request.tiers
            for model in tier
            if self._health.is_worth_waiting_for(model, now, self.policy.patience)
        )
        return tuple(dict.fromkeys(soon))

    def _with_home(self, waiting: Waiting, models: tuple[Model, ...]) -> tuple[Model, ...]:
        """Only the server that has the prefix, where that costs no more than one slot of wait."""
        for model in models:
            if self._home_is_worth_it(waiting, model):
                self._holding_out.add(waiting.request.id)
                return (model,)
        return models

    def _home_is_worth_it(self, waiting: Waiting, model: Model) -> bool:
        if not self._homes.has(waiting.request.prefix, model):
            return False
        station = self._stations[model.backend]
        queue = station.queues.get(model.name)
        ahead = queue.ahead_of(waiting) if queue else 0
        return not station.needs_swap(model.name) and ahead < station.capacity.of_model(model.name)

    def _end_holding_out(self, now: float) -> None:
        for request_id in sorted(self._holding_out):
            waiting = self._waiting[request_id]
            (home,) = self._queued_at[request_id]
            if not self._home_is_worth_it(waiting, home):
                self._holding_out.discard(request_id)
                self._queue(waiting, self._acceptable(waiting.request, now))

    def _queue(self, waiting: Waiting, models: tuple[Model, ...]) -> None:
        """Queue a request for these models and for no others."""
        before = self._queued_at.get(waiting.request.id, ())
        for model in set(before) - set(models):
            self._stations[model.backend].remove(model.name, waiting)
        for model in models:
            if model not in before:
                self._stations[model.backend].add(model.name, waiting)
        self._queued_at[waiting.request.id] = models

    def _forget(self, waiting: Waiting) -> None:
        self._queue(waiting, ())
        self._holding_out.discard(waiting.request.id)
        del self._queued_at[waiting.request.id], self._waiting[waiting.request.id]

    # --- decisions ---

    def _grant_one(self, now: float) -> Granted | None:
        """Grant one slot: on the least loaded backend, else on the one that was named first."""
        overdue = now - self.policy.max_wait
        best: tuple[tuple[bool, float, bool, int], Waiting, Model] | None = None
        for station in self._stations.values():
            name = self._next_model(station, now, overdue)
            waiting = None if name is None else station.next_in(name, overdue)
            if name is None or waiting is None:
                continue
            model = Model(station.name, name)
            order = (
                station.needs_swap(name),
                station.load,
                not station.queues[name].is_pressing(overdue),
                self._queued_at[waiting.request.id].index(model),
            )
            if best is None or order < best[0]:
                best = order, waiting, model
        return None if best is None else self._grant(best[1], best[2], now)

    def _next_model(self, station: Station, now: float, overdue: float) -> str | None:
        """Choose between the models of one backend: what presses first, then in turns."""
        ready = station.ready(
            lambda model: self._health.lets_pass(model, now),
            now,
            self.policy.max_wait,
            self._costs,
        )
        return min(
            ready,
            key=lambda name: (
                not station.queues[name].is_pressing(overdue),
                self._last_grant.get(Model(station.name, name), -1),
                name,
            ),
            default=None,
        )

    def _grant(self, waiting: Waiting, model: Model, now: float) -> Granted:
        request, station = waiting.request, self._stations[model.backend]
        running = station.grant(model.name, waiting, now)
        self._queued_at[request.id] = tuple(
            other for other in self._queued_at[request.id] if other != model
        )
        self._forget(waiting)
        self._running[request.id] = station
        self._health.start(model, request.id, now)
        self._granted += 1
        self._last_grant[model] = self._granted
        self._homes.remember(request.prefix, model)
        return Granted(request.id, model, running.cold)

    def _follow_health(self, now: float) -> list[Refused]:
        """Queue anew after a breaker has moved; refuse those for whom nothing is left."""
        shut = self._health.shut(now)
        if shut == self._shut:
            return []
        self._shut = shut
        refused = []
        for waiting in list(self._waiting.values()):
            acceptable = self._acceptable(waiting.request, now)
            if not acceptable:
                self._forget(waiting)
                refused.append(self._unhealthy(waiting.request, now))
                continue
            self._holding_out.discard(waiting.request.id)
            self._queue(waiting, acceptable)
            for model in acceptable:
                self._want(model.backend, now)
        return refused

    def _expired(self, now: float) -> list[Waiting]:
        return [
            one
            for one in self._waiting.values()
            if one.request.deadline is not None and one.request.deadline <= now
        ]

    # --- refusals ---

    def _is_full(self, request: Request) -> bool:
        of_session = sum(
            one.request.session == request.session and one.request.kind == request.kind
            for one in self._waiting.values()
        )
        return (
            len(self._waiting) >= self.policy.max_waiting
            or of_session >= self.policy.max_waiting_of_session
        )

    def _busy(self, waiting: Waiting, models: tuple[Model, ...], now: float) -> Refused:
        place = self._best_place(waiting, models, now)
        count = len(self._waiting)
        return Refused(
            waiting.request.id,
            place.model,
            "busy",
            f"busy, {count} waiting, about {place.seconds:.0f} seconds",
            place.seconds,
        )

    def _unhealthy(self, request: Request, now: float) -> Refused:
        models = [model for tier in request.tiers for model in tier]
        first = min(models, key=lambda model: self._health.reopens_in(model, now))
        wait = self._health.reopens_in(first, now)
        return Refused(request.id, first, "unhealthy", self._health.set_aside(first, now), wait)

    def _late(self, waiting: Waiting, now: float) -> Refused:
        place = self._best_place(waiting, self._queued_at[waiting.request.id], now)
        self._forget(waiting)
        return Refused(
            waiting.request.id,
            place.model,
            "deadline",
            f"no slot in {now - waiting.since:.0f} s, and its time is over",
            place.seconds,
        )

    def _best_place(self, waiting: Waiting, models: tuple[Model, ...], now: float) -> Place:
        places = (
            place_in(
                self._stations[model.backend],
                model,
                waiting,
                now,
                self.policy.max_wait,
                self._costs,
                self._health,
            )
            for model in models
        )
        best = min(places, key=lambda place: (place.seconds, place.position))
        # What waits for several models of one backend was counted for each.
        return replace(best, position=min(best.position, max(1, len(self._waiting))))
