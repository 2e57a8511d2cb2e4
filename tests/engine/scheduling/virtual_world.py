"""The real scheduler in virtual time, before servers that check every rule of theirs."""

import heapq
from collections import defaultdict
from itertools import count

from spadework.engine.scheduling.scheduler import Scheduler
from spadework.engine.scheduling.slot_requests import (
    Capacity,
    Granted,
    Model,
    Policy,
    SlotRequest,
    Succeeded,
)

BOX = Capacity(slots=1, exclusive=True)


def model(name):
    return Model.of(name if "/" in name else f"box/{name}")


def request(request_id, models="llama", *, session="w1", **more):
    """Make a request; models are "a b, c": a and b are equally good, c is next best."""
    tiers = tuple(tuple(map(model, tier.split())) for tier in models.split(","))
    return SlotRequest(request_id, session, tiers, **more)


class World:
    """Every request that is granted runs for its service, after a swap where one is needed."""

    def __init__(self, policy=None, swap=0.0, **capacities):
        self.now = 0.0
        self.swap = swap
        self.capacities = capacities or {"box": BOX}
        self.scheduler = Scheduler(
            self.capacities, policy or Policy(), clock=lambda: self.now, jitter=lambda: 0.0
        )
        self.granted = {}
        self.started = {}
        self.refused = {}
        self.arrived = {}
        self.order = []
        self.probes = []
        self.dead = set()
        self.loads = 0
        self._services = {}
        self._running = defaultdict(dict)
        self._ready = defaultdict(lambda: (None, 0.0))
        self._events = []
        self._numbers = count()

    def at(self, time, what):
        heapq.heappush(self._events, (time, next(self._numbers), what))

    def submit(self, one, service=1.0):
        """Submit a request now."""
        self._services[one.id] = service
        self.arrived[one.id] = self.now
        refused = self.scheduler.submit(one)
        if refused:
            self.refused[one.id] = refused
        return refused

    def submit_at(self, time, one, service=1.0):
        self.at(time, lambda: self.submit(one, service))

    def decide(self):
        self._decide()
        while due := self.scheduler.probes_due():
            for backend, claim in due.items():
                self.probes.append((self.now, backend))
                failure = "still dead" if backend in self.dead else ""
                self.scheduler.note_probe(backend, claim, failure)
            self._decide()

    def _decide(self):
        for decision in self.scheduler.decide():
            assert decision.id not in self.granted
            assert decision.id not in self.refused
            if isinstance(decision, Granted):
                self._start(decision)
            else:
                self.refused[decision.id] = decision

    def run(self, until=float("inf")):
        """Let time pass until nothing happens any more."""
        self.decide()
        while True:
            wake = self.scheduler.next_decision_at()
            times = [self._events[0][0]] if self._events else []
            times += [] if wake is None else [wake]
            if not times or min(times) > until:
                if until != float("inf"):
                    self.now = max(self.now, until)
                return self
            self.now = max(self.now, min(times))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            self.decide()

    def end(self, request_id, outcome=None):
        """End a request that runs."""
        self._running[self.granted[request_id].model.backend].pop(request_id)
        self.scheduler.finish(request_id, outcome or Succeeded())

    def wait_of(self, request_id):
        return self.started[request_id] - self.arrived[request_id]

    def _start(self, granted):
        backend, name = granted.model
        capacity, running = self.capacities[backend], self._running[backend]
        loaded, ready = self._ready[backend]
        if capacity.exclusive and loaded != name:
            assert not running, "a swap cut off what ran"
            ready = self.now + self.swap
            self._ready[backend] = name, ready
            self.loads += 1
        running[granted.id] = name
        assert len(running) <= capacity.slots, "overbooked"
        assert list(running.values()).count(name) <= capacity.of_model(name), "overbooked"
        self.granted[granted.id] = granted
        self.started[granted.id] = self.now
        self.order.append(granted.id)
        service = self._services[granted.id]
        if service is not None:
            first = max(self.now, ready)
            self.at(first, lambda: self._first_token(granted.id))
            self.at(first + service, lambda: self._end_if_running(granted.id))

    def _first_token(self, request_id):
        self.scheduler.first_token(request_id, self.now - self.started[request_id])

    def _end_if_running(self, request_id):
        if request_id in self._running[self.granted[request_id].model.backend]:
            self.end(request_id)
