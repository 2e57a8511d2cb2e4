"""How long a job waits for unavailable servers: batch work until its time is over.

Outages that several delegations wait for are shown once for all of them.

A question is handed back at once, since Claude can do the work itself. A row of a batch that is
lost to a server's restart has to be asked again by hand, and it has time.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.engine.job import Listener
from spadework.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spadework.engine.job import Job
    from spadework.errors import SpadeworkError

MOST_OF_ITS_OWN = 5
"""Failures of a request on a model that answers others in between: it is the request."""

MOST_BREAKS = 20
"""Broken connections of a request that had a slot, whatever the others do."""

SECONDS_OF_REFUSALS = 10.0
"""How long a question waits for a server that has too many requests."""

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 15.0
_GROWTH = 1.5


@dataclass(slots=True)
class Patience:
    """What one job may still wait for.

    Args:
        until: when it ends, on the clock of `time.monotonic`.
        is_batch: whether servers that are away are waited for.
    """

    until: float
    is_batch: bool
    _own: Counter[str] = field(default_factory=Counter)
    _breaks: Counter[str] = field(default_factory=Counter)
    _pauses: int = 0
    _answers: dict[str, int] = field(default_factory=dict)
    _refused_since: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of_job(cls, job: Job, seconds: float) -> Patience:
        """Return the patience of a job that begins now.

        Args:
            job: batch work waits for servers, unless it says otherwise; a question does not.
            seconds: how long; 0 for not at all.
        """
        is_batch = job.kind == "batch" and job.patient and seconds > 0
        return cls(time.monotonic() + seconds, is_batch)

    def is_recoverable(self, name: str, error: SpadeworkError, answers: int) -> bool:
        """Note the failure of a request that had a slot; tell whether it is worth another.

        Args:
            name: the model.
            error: how it failed.
            answers: how many requests the model has answered so far, others' included.
        """
        if not error.is_temporary:
            return False
        if not self.is_batch or isinstance(error, Overloaded):
            return True  # the server's limit paces it; the request itself is not at fault
        self._breaks[name] += error.broke_off
        if error.broke_off or answers > self._answers.get(name, answers):
            self._own[name] += 1
        self._answers[name] = answers
        return self._own[name] <= MOST_OF_ITS_OWN and self._breaks[name] <= MOST_BREAKS

    def next_pause(self) -> float:
        """Seconds to wait before a server that is not suspended is asked again; each longer.

        Requests that a broken server lost together come back one by one: should one of them be
        what breaks it, the others have their answer by then.
        """
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * _GROWTH**self._pauses)
        self._pauses = min(self._pauses + 1, 30)
        return random.SystemRandom().uniform(longest / 4, longest)

    def for_a_part(self) -> Patience:
        """The same patience for a part of the job, whose failures are counted by themselves."""
        return Patience(self.until, self.is_batch)

    def waits_its_turn(self, name: str) -> bool:
        """Tell whether a request that a server refused for having too many stays in the queue."""
        now = time.monotonic()
        since = self._refused_since.setdefault(name, now)
        return (self.is_batch and now < self.until) or now - since < SECONDS_OF_REFUSALS


def _ignore() -> None:
    """Take no notice."""


class Outages:
    """The outages that delegations of one batch wait for.

    Args:
        on_change: called when a delegation begins to wait, waits on, or goes on; must not block.
    """

    def __init__(self, on_change: Callable[[], None] = _ignore) -> None:
        self._on_change = on_change
        self._waiting: dict[object, str] = {}

    @property
    def current(self) -> str:
        """The message of the delegation that has waited longest; empty if none waits."""
        return next(iter(self._waiting.values()), "")

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """Make the listener of one delegation, which waits for nothing any more in the end."""
        delegation = object()

        def note(what: str) -> None:
            if what:
                self._waiting[delegation] = what
                self._on_change()
            elif self._waiting.pop(delegation, None) is not None:
                self._on_change()

        try:
            yield Listener(away=note)
        finally:
            note("")
