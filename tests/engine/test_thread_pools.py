"""Threads for reading: a client has its share, and the first one at once."""

import asyncio
import threading
import time

import pytest

from spadework.engine.thread_pools import FairPool
from spadework.references.cancellation import Abandoned, Cancellation, OutOfTime, checkpoint

WAIT = 60


class Work:
    """Work in threads that lasts until it is told to end."""

    def __init__(self):
        self.running, self.most = set(), 0
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, name):
        with self._lock:
            self.running.add(name)
            self.most = max(self.most, len(self.running))
        try:
            assert self.ended.wait(WAIT)
        finally:
            with self._lock:
                self.running.discard(name)
        return name


async def until(condition):
    async with asyncio.timeout(WAIT):
        while not condition():
            await asyncio.sleep(0.005)


def start(pool, work, client, count):
    return [
        asyncio.create_task(pool.run(Cancellation(client), work, f"{client}{number}"))
        for number in range(count)
    ]


async def test_one_client_takes_no_more_than_its_share_and_others_begin_at_once():
    pool, work = FairPool("test", threads=4, per_client=3), Work()
    tasks = start(pool, work, "a", 10)
    await until(lambda: len(work.running) == 3)
    for client in "bcde":  # more than there are threads to share
        tasks += start(pool, work, client, 1)
        await until(lambda client=client: f"{client}0" in work.running)
    assert sum(name.startswith("a") for name in work.running) == 3
    work.ended.set()
    assert len(await asyncio.gather(*tasks)) == 14
    assert work.most == 7


async def test_what_waits_is_taken_up_in_turn():
    pool, order = FairPool("test", threads=1, per_client=1), []
    work = Work()
    first = start(pool, work, "a", 1)
    await until(lambda: work.running)
    more = [
        asyncio.create_task(pool.run(Cancellation(client), order.append, client))
        for client in ("a", "a", "a")
    ]
    await asyncio.sleep(0)
    work.ended.set()
    await asyncio.gather(*first, *more)
    assert order == ["a", "a", "a"]


async def test_the_deadline_ends_what_runs_what_waits_and_what_hangs():
    pool, hangs = FairPool("test", threads=1, per_client=1), threading.Event()
    soon = [Cancellation("a", time.monotonic() + 0.1) for _ in range(2)]
    tasks = [asyncio.create_task(pool.run(one, hangs.wait, WAIT)) for one in soon]
    for task in tasks:
        with pytest.raises(OutOfTime):
            await task
    hangs.set()


async def test_a_cancelled_task_stops_its_thread():
    pool, stopped = FairPool("test", threads=1, per_client=1), threading.Event()
    started = threading.Event()

    def work():
        started.set()
        try:
            while True:
                checkpoint()
        except Abandoned:
            stopped.set()
            raise

    task = asyncio.create_task(pool.run(Cancellation("a"), work))
    await until(started.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(stopped.is_set)


async def test_an_error_in_the_thread_is_raised_here():
    with pytest.raises(ValueError, match="invalid literal"):
        await FairPool("test", threads=1, per_client=1).run(Cancellation(), int, "x")
