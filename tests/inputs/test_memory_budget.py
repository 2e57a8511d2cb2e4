"""Confined processes share one budget of memory, in this process and among others."""

import subprocess
import sys
import threading
import time

import pytest

from spadework.references.cancellation import Abandoned, Cancellation, OutOfTime, working
from spadework.references.memory_budget import LEAST, MOST, UNIT, MemoryBudget, default_total

WAIT = 60
HOLDER = """
import sys
from pathlib import Path
from spadework.references.memory_budget import UNIT, MemoryBudget
with MemoryBudget(4 * UNIT, Path(sys.argv[1])).reserve(3 * UNIT):
    print("held", flush=True)
    sys.stdin.read()
"""


class Reserving:
    """A thread that reserves for a client, and holds until it is told to release."""

    def __init__(self, budget, size, client=""):
        self.has = threading.Event()
        self.release = threading.Event()
        self.cancellation = Cancellation(client)
        self.failure = None
        self.thread = threading.Thread(target=self._run, args=(budget, size))
        self.thread.start()

    def _run(self, budget, size):
        try:
            with working(self.cancellation), budget.reserve(size):
                self.has.set()
                self.release.wait(WAIT)
        except Abandoned as failure:
            self.failure = failure

    def end(self):
        self.release.set()
        self.thread.join(WAIT)


def until_waiting(budget, count):
    deadline = time.monotonic() + WAIT
    while len(budget._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_more_is_held_at_once_than_there_is():
    budget = MemoryBudget(3 * UNIT)
    first, second = Reserving(budget, 2 * UNIT), None
    assert first.has.wait(WAIT)
    second = Reserving(budget, 2 * UNIT)
    until_waiting(budget, 1)
    assert not second.has.is_set()
    first.end()
    assert second.has.wait(WAIT)
    second.end()
    assert budget._units == set()


def test_the_client_that_holds_least_comes_first():
    budget = MemoryBudget(2 * UNIT)
    greedy = [Reserving(budget, UNIT, "greedy") for _ in range(2)]
    assert all(one.has.wait(WAIT) for one in greedy)
    more = Reserving(budget, UNIT, "greedy")
    until_waiting(budget, 1)
    other = Reserving(budget, UNIT, "other")
    until_waiting(budget, 2)
    greedy[0].end()
    assert other.has.wait(WAIT)
    assert not more.has.is_set()
    for one in (other, greedy[1], more):
        one.end()


def test_who_waits_is_let_go_by_the_deadline_and_by_cancelling():
    budget = MemoryBudget(UNIT)
    with budget.reserve(UNIT):
        late = Cancellation(deadline=time.monotonic() + 0.2)
        with pytest.raises(OutOfTime), working(late), budget.reserve(UNIT):
            pass
        cancelled = Reserving(budget, UNIT)
        until_waiting(budget, 1)
        cancelled.cancellation.cancel()
        cancelled.thread.join(WAIT)
        assert cancelled.failure
    with budget.reserve(UNIT):
        pass


def test_what_is_more_than_all_is_an_error_at_once():
    budget = MemoryBudget(2 * UNIT)
    assert budget.largest(8 * UNIT) == 2 * UNIT
    with pytest.raises(ValueError, match="budget"), budget.reserve(8 * UNIT):
        pass


@pytest.mark.slow
def test_another_process_has_its_part_of_it_until_it_dies(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "locks")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        budget = MemoryBudget(4 * UNIT, tmp_path / "locks")
        with budget.reserve(UNIT):
            pass
        mine = Reserving(budget, 2 * UNIT)
        until_waiting(budget, 1)
        assert not mine.has.wait(0.3)
        other.kill()
        assert mine.has.wait(WAIT)
        mine.end()


def test_the_default_is_a_share_of_the_machine():
    assert LEAST <= default_total() <= MOST
