"""What grouping by model wins on a server that holds one model at a time.

The real scheduler with its default policy, in virtual time, before a simulated server: four slots,
and a swap takes S seconds, during which nothing runs. 200 requests over 3 models from 4 sessions,
in random order; a request takes 1 to 3 s. Beside it: first come, first served. Five seeds each.

(a) All 200 wait at once. Target: within 10% of the lower bound, which is the service time at full
slots and one swap per model.
(b) They arrive over time (Poisson). Target: nobody waits longer than `max_wait`, one swap and one
service, as long as a round over all models takes less than `max_wait`. A round takes at least
its swaps / (1 - load); beyond that the server is overloaded, and waits grow with the backlog.

    python benchmarks/swapping.py
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Protocol

from spadework.engine.scheduling.scheduler import Scheduler
from spadework.engine.scheduling.slot_requests import (
    Capacity,
    Granted,
    Model,
    Policy,
    SlotRequest,
    Succeeded,
)

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS = 200
MODELS = ("llama3", "qwen-coder", "gemma")
SESSIONS = 4
SLOTS = 4
SERVICE = (1.0, 3.0)
PROMPT_SECONDS = 0.3
MAX_WAIT = Policy().max_wait
SEEDS = (1, 2, 3, 4, 5)
SWAPS = (2.0, 5.0, 10.0, 30.0)
RATES = (0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0)
MOST_OVER_BOUND = 0.10


@dataclass(frozen=True, slots=True)
class Job:
    """One request of the simulation."""

    id: str
    session: str
    model: str
    arrives: float
    service: float


@dataclass(frozen=True, slots=True)
class Run:
    """What a simulation gave; `waits` from arrival to grant, `delays` from arrival to the end."""

    seconds: float
    loads: int
    waits: list[float]
    delays: list[float]


class Line(Protocol):
    """Who decides what the server does next."""

    def submit(self, job: Job) -> None:
        """Queue a job."""

    def decide(self) -> list[str]:
        """Name the jobs that start now."""

    def first_token(self, job: Job, seconds: float) -> None:
        """Hear of a job's first token."""

    def finish(self, job: Job) -> None:
        """Hear that a job has ended."""


class FirstCome:
    """Strictly in order of arrival: the head of the line waits for its model, all behind it too."""

    def __init__(self, _: Callable[[], float]) -> None:
        self._line: deque[Job] = deque()
        self._running = 0
        self._loaded = ""

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._line.append(job)

    def decide(self) -> list[str]:
        """Start the head of the line as long as that can be."""
        started = []
        while self._line and self._running < SLOTS:
            if self._line[0].model != self._loaded and self._running:
                break
            job = self._line.popleft()
            self._loaded = job.model
            self._running += 1
            started.append(job.id)
        return started

    def first_token(self, job: Job, seconds: float) -> None:
        """Learn nothing."""

    def finish(self, _: Job) -> None:
        """Free the slot."""
        self._running -= 1


class Ours:
    """The real scheduler."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._scheduler = Scheduler(
            {"server": Capacity(SLOTS, exclusive=True)},
            clock=clock,
            jitter=lambda: 0.0,
        )

    def submit(self, job: Job) -> None:
        """Queue a job."""
        model = Model("server", job.model)
        refused = self._scheduler.submit(SlotRequest(job.id, job.session, ((model,),)))
        assert refused is None, refused

    def decide(self) -> list[str]:
        """Ask it."""
        decisions = self._scheduler.decide()
        assert all(isinstance(one, Granted) for one in decisions)
        return [one.id for one in decisions]

    def first_token(self, job: Job, seconds: float) -> None:
        """Pass it on."""
        self._scheduler.first_token(job.id, seconds)

    def finish(self, job: Job) -> None:
        """Pass it on."""
        self._scheduler.finish(job.id, Succeeded())


class Server:
    """Holds one model; `start` returns when a job's first token comes."""

    def __init__(self, swap: float) -> None:
        self.loads = 0
        self._swap = swap
        self._loaded = ""
        self._ready = 0.0
        self._running = 0

    def start(self, job: Job, now: float) -> float:
        """Take a job."""
        if job.model != self._loaded:
            assert not self._running, "a swap would cut off what runs"
            self._loaded, self._ready = job.model, now + self._swap
            self.loads += 1
        self._running += 1
        assert self._running <= SLOTS, "overbooked"
        return max(now, self._ready) + PROMPT_SECONDS

    def finish(self) -> None:
        """End a job."""
        self._running -= 1


def simulate(jobs: list[Job], swap: float, make: Callable[[Callable[[], float]], Line]) -> Run:
    """Run the jobs to their end in virtual time."""
    now = 0.0
    line, server = make(lambda: now), Server(swap)
    by_id = {job.id: job for job in jobs}
    events = [(job.arrives, number, "arrives", job) for number, job in enumerate(jobs)]
    heapq.heapify(events)
    waits, delays, number = [], [], len(jobs)
    granted: dict[str, float] = {}
    while events:
        now, _, what, job = heapq.heappop(events)
        if what == "arrives":
            line.submit(job)
        elif what == "token":
            line.first_token(job, now - granted[job.id])
        else:
            server.finish()
            line.finish(job)
            delays.append(now - job.arrives)
        if events and events[0][0] == now:
            continue
        for name in line.decide():
            job = by_id[name]
            waits.append(now - job.arrives)
            granted[name] = now
            token = server.start(job, now)
            number += 2
            heapq.heappush(events, (token, number, "token", job))
            heapq.heappush(events, (token - PROMPT_SECONDS + job.service, number + 1, "ends", job))
    assert len(delays) == len(jobs), "a request was lost"
    return Run(now, server.loads, waits, delays)


def make_jobs(seed: int, rate: float | None) -> list[Job]:
    """Make the jobs; `rate` in requests a second, None for all at once."""
    chance = random.Random(seed)
    at, jobs = 0.0, []
    for number in range(REQUESTS):
        at += chance.expovariate(rate) if rate else 0.0
        session, model = f"window {chance.randrange(SESSIONS)}", chance.choice(MODELS)
        jobs.append(Job(f"{number}", session, model, at, chance.uniform(*SERVICE)))
    return jobs


def all_at_once() -> None:
    """Print (a): medians over the seeds, and the farthest from the lower bound."""
    print(f"(a) all {REQUESTS} at once, {SLOTS} slots, {len(MODELS)} models")
    print(
        f"{'swap s':>7}{'bound s':>9} |{'first come s':>13}{'loads':>7} |"
        f"{'ours s':>8}{'loads':>7}{'over bound':>12} |{'factor':>8}"
    )
    worst = 0.0
    for swap in SWAPS:
        bounds, firsts, ours = [], [], []
        for seed in SEEDS:
            jobs = make_jobs(seed, None)
            bounds.append(sum(job.service for job in jobs) / SLOTS + swap * len(MODELS))
            firsts.append(simulate(jobs, swap, FirstCome))
            ours.append(simulate(jobs, swap, Ours))
        over = max(run.seconds / bound - 1 for run, bound in zip(ours, bounds, strict=True))
        worst = max(worst, over)
        print(
            f"{swap:>7g}{median(bounds):>9.0f} |{seconds(firsts):>13.0f}{loads(firsts):>7.0f} |"
            f"{seconds(ours):>8.0f}{loads(ours):>7.0f}{over:>12.1%} |"
            f"{seconds(firsts) / seconds(ours):>8.1f}"
        )
    print(f"farthest over the lower bound: {worst:.1%} (target: at most {MOST_OVER_BOUND:.0%})")


def over_time(swap: float) -> bool:
    """Print (b) for one cost of a swap; tell whether the target is met."""
    limit = MAX_WAIT + swap + SERVICE[1]
    print(f"\n(b) over time, a swap takes {swap:g} s; the limit is {limit:g} s")
    print(
        f"{'a second':>9}{'load':>6}{'round s':>9} |{'first come s':>13}{'loads':>7}"
        f"{'mean s':>8}{'longest':>9} |{'ours s':>8}{'loads':>7}{'mean s':>8}{'longest':>9}"
        f"{'kept':>6} |{'factor':>8}{'of means':>10}"
    )
    met = True
    for rate in RATES:
        load = rate * mean(SERVICE) / SLOTS
        a_round = swap * len(MODELS) / (1 - load) if load < 1 else math.inf
        jobs = [make_jobs(seed, rate) for seed in SEEDS]
        firsts = [simulate(one, swap, FirstCome) for one in jobs]
        ours = [simulate(one, swap, Ours) for one in jobs]
        kept = longest(ours) <= limit
        met = met and (kept or a_round > MAX_WAIT)
        print(
            f"{rate:>9g}{load:>6.0%}{a_round:>9.0f} |{seconds(firsts):>13.0f}{loads(firsts):>7.0f}"
            f"{delay(firsts):>8.0f}{longest(firsts):>9.0f} |{seconds(ours):>8.0f}"
            f"{loads(ours):>7.0f}{delay(ours):>8.0f}{longest(ours):>9.0f}"
            f"{'yes' if kept else 'no':>6} |{seconds(firsts) / seconds(ours):>8.2f}"
            f"{delay(firsts) / delay(ours):>10.1f}"
        )
    return met


def seconds(runs: list[Run]) -> float:
    """Seconds in all, the median."""
    return median(run.seconds for run in runs)


def loads(runs: list[Run]) -> float:
    """How often a model was loaded, the median."""
    return median(run.loads for run in runs)


def delay(runs: list[Run]) -> float:
    """Seconds from arrival to the end, the mean of a request."""
    return mean(one for run in runs for one in run.delays)


def longest(runs: list[Run]) -> float:
    """The longest that any request waited for its slot, in seconds."""
    return max(max(run.waits) for run in runs)


if __name__ == "__main__":
    all_at_once()
    results = [over_time(swap) for swap in SWAPS]
    print(
        "\nnobody waited over the limit wherever a round takes less than max_wait: "
        f"{'yes' if all(results) else 'no'} (target: yes)"
    )
