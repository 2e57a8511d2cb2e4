"""The threads of the engine, by their purpose, so that no work takes those that other work needs.

asyncio's own pool, which `asyncio.to_thread` shares among all, is left to lookups of host names.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from spadework.references.cancellation import Cancellation, OutOfTime, working

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

_SECONDS_OF_GRACE = 1.0
"""What work that is out of time gets to notice it; a system call that hangs never does."""


class FairPool:
    """Threads for work that one client could fill them with.

    A client has at most `per_client` threads. Its first is always there at once, however many
    others are at work; the rest are, while fewer than `threads` are in use. What waits is taken up
    in turn of the clients. The threads are daemons: one that hangs in a system call does not keep
    the process from ending.

    Args:
        name: what the threads are called.
        threads: in use by clients that have more than one.
        per_client: the most of one client.
    """

    def __init__(self, name: str, threads: int, per_client: int) -> None:
        self._name = name
        self._threads = threads
        self._per_client = per_client
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    async def run(
        self,
        cancellation: Cancellation,
        work: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Do some work in a thread. Cancelling the task stops it at its next checkpoint.

        Raises:
            OutOfTime: the deadline passed, in the thread or before there was one.
        """
        future: Future[Result] = Future()
        context = contextvars.copy_context()

        def task() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                cancellation.check()
                with working(cancellation):
                    result = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised by who waits
                future.set_exception(error)
            else:
                future.set_result(result)

        self._submit(cancellation.client, lambda: context.run(task))
        left = cancellation.deadline - time.monotonic() + _SECONDS_OF_GRACE
        try:
            async with asyncio.timeout(max(0.0, left) if math.isfinite(left) else None) as limit:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if limit.expired():
                raise OutOfTime from None
            raise
        finally:
            cancellation.cancel()

    def _submit(self, client: str, task: Callable[[], None]) -> None:
        with self._lock:
            if not self._may_run(client):
                self._waiting.setdefault(client, deque()).append(task)
                return
            self._running[client] += 1
        self._start(client, task)

    def _start(self, client: str, task: Callable[[], None]) -> None:
        threading.Thread(
            target=self._work, args=(client, task), name=self._name, daemon=True
        ).start()

    def _may_run(self, client: str) -> bool:
        own = self._running[client]
        return own == 0 or (own < self._per_client and self._running.total() < self._threads)

    def _work(self, client: str, task: Callable[[], None]) -> None:
        while True:
            task()
            with self._lock:
                self._running[client] -= 1
                if not self._running[client]:
                    del self._running[client]
                following = self._take()
            if not following:
                return
            (client, task), *others = following
            for other in others:
                self._start(*other)

    def _take(self) -> list[tuple[str, Callable[[], None]]]:
        """Take out what may run now, of the clients in turn."""
        taken = []
        for client in list(self._waiting):
            if self._may_run(client):
                tasks = self._waiting.pop(client)
                taken.append((client, tasks.popleft()))
                if tasks:
                    self._waiting[client] = tasks  # behind the others
                self._running[client] += 1
        return taken


class Pool:
    """A few threads for short work that no client can make long."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[..., Result], *args: Any) -> Result:
        """Do some work in a thread."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, context.run, work, *args)


READING = FairPool("reading", threads=8, per_client=4)
"""References, folders, git, documents, grammars."""
CHECKING = Pool("checking", threads=4)
COUNTING = Pool("counting", threads=2)
CACHE = Pool("cache", threads=2)
