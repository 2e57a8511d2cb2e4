"""When work in a thread must stop: its time is over, or nobody waits for it any longer.

A thread cannot be stopped from outside, so whatever may take long calls `checkpoint` between its
steps. The cancellation travels in a context variable, like the cancel scopes of anyio: what reads a
block or lists a folder need not be handed it.
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


class Stopped(Exception):
    """The work was stopped before its end."""


class OutOfTime(Stopped):
    """The deadline of the call has passed."""


class Abandoned(Stopped):
    """The call was cancelled."""


class Cancellation:
    """Says for whom something is done, and until when.

    Args:
        client: whose call it is; one client shares what it may use at once.
        deadline: on the clock of `time.monotonic`.
    """

    def __init__(self, client: str = "", deadline: float = math.inf) -> None:
        self.client = client
        self.deadline = deadline
        self._cancelled = False
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


def checkpoint() -> None:
    """Raise `Stopped` if the work that this thread does must stop."""
    if cancellation := _current.get():
        cancellation.check()


def seconds_left(most: float) -> float:
    """The seconds until the deadline, at most `most`; never negative."""
    return max(0.0, min(most, current().deadline - time.monotonic()))
