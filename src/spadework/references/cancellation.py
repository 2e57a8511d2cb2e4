"""When work in a thread must stop: its time is over, or nobody waits for it any longer.

A thread cannot be stopped from outside, so whatever may take long calls `checkpoint` between its
steps. The cancellation travels in a context variable, like the cancel scopes of anyio: what reads a
block or lists a folder need not be handed it.

A checkpoint is also where long work gives way. Python runs one thread at a time, so a few threads
that take gigabytes apart would keep the event loop waiting at each of its steps: all work that has
taken more than a moment of CPU shares half of it.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class WorkStopped(Exception):
    """The work was stopped before its end."""


class OutOfTime(WorkStopped):
    """The deadline of the call has passed."""


class Abandoned(WorkStopped):
    """The call was cancelled."""


class Cancellation:
    """The deadline and the cancellation state of a piece of work.

    Args:
        client: whose call it is; one client shares what it may use at once.
        deadline: on the clock of `time.monotonic`.
    """

    def __init__(self, client: str = "", deadline: float = math.inf) -> None:
        self.client = client
        self.deadline = deadline
        self._cancelled = False
        self._began: float | None = None
        self._last = 0.0
        self._is_heavy = False
        self._lock = threading.Lock()
        self._on_cancel: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Stop the work at its next checkpoint."""
        with self._lock:
            self._cancelled = True
            callbacks, self._on_cancel = self._on_cancel, []
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise if the work must stop.

        Raises:
            OutOfTime: the deadline has passed.
            Abandoned: it was cancelled.
        """
        if self._cancelled:
            raise Abandoned
        if time.monotonic() >= self.deadline:
            raise OutOfTime

    def give_way(self) -> None:
        """Sleep a while if this work has taken much CPU, in proportion to what it took lately."""
        global _heavy  # noqa: PLW0603 - all threads of the process share it
        now = time.thread_time()
        if self._began is None:
            self._began = self._last = now
            return
        if not self._is_heavy:
            if now - self._began < _CPU_SECONDS_OF_LIGHT_WORK:
                return
            self._is_heavy, self._last = True, now
            with _counting:
                _heavy += 1
        used = now - self._last
        self._last = now
        time.sleep(min(_MOST_SECONDS_OF_SLEEP, used * (2 * _heavy - 1)))

    def end(self) -> None:
        """Note that the work is over."""
        global _heavy  # noqa: PLW0603 - as above
        if self._is_heavy:
            self._is_heavy = False
            with _counting:
                _heavy -= 1

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call something if the work is cancelled during the body, from another thread."""
        with self._lock:
            cancelled = self._cancelled
            self._on_cancel.append(callback)
        if cancelled:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._on_cancel:
                    self._on_cancel.remove(callback)


_CPU_SECONDS_OF_LIGHT_WORK = 0.1
_MOST_SECONDS_OF_SLEEP = 0.2
_counting = threading.Lock()
_heavy = 0
"""How many works have taken more CPU than light ones do."""
_current: ContextVar[Cancellation | None] = ContextVar("_current", default=None)


def current() -> Cancellation:
    """The cancellation of the work that this thread does; one without limits outside of any."""
    return _current.get() or Cancellation()


@contextmanager
def working(cancellation: Cancellation) -> Iterator[None]:
    """Let a cancellation hold for the body."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)
        cancellation.end()


def checkpoint() -> None:
    """Raise `WorkStopped` if this thread's work must stop; else yield if it has run for long."""
    if cancellation := _current.get():
        cancellation.check()
        cancellation.give_way()


def seconds_left(most: float) -> float:
    """The seconds until the deadline, at most `most`; never negative."""
    return max(0.0, min(most, current().deadline - time.monotonic()))
