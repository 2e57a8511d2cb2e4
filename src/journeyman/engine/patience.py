"""How long a job outlasts servers that are away: batch work until its time is over.

A question is handed back at once, since Claude can do the work itself. A row of a batch that is
lost to a server's restart has to be asked again by hand, and it has time.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from journeyman.errors import CutStream, DeadlinePassed, Overloaded

if TYPE_CHECKING:
    from journeyman.errors import JourneymanError

MOST_OF_ITS_OWN = 5
"""Failures of a request on a model that answers others in between: it is the request."""

MOST_FAILURES = 20
"""Failures of a request that has a slot, whatever the others do."""

SECONDS_OF_REFUSALS = 10.0
"""How long a question waits for a server that has too many requests."""

_LONGEST_PAUSE = 4.0


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
    _all: Counter[str] = field(default_factory=Counter)
    _answers: dict[str, int] = field(default_factory=dict)
    _refused_since: dict[str, float] = field(default_factory=dict)

    def outlasts(self, name: str, error: JourneymanError, answers: int) -> bool:
        """Note the failure of a request that had a slot; tell whether it is worth another.

        Args:
            name: the model.
            error: how it failed.
            answers: how many requests the model has answered so far, others' included.
        """
        if not self.is_batch or isinstance(error, DeadlinePassed) or not _is_temporary(error):
            return False
        self._all[name] += 1
        if isinstance(error, CutStream) or answers > self._answers.get(name, answers):
            self._own[name] += 1
        self._answers[name] = answers
        return self._own[name] <= MOST_OF_ITS_OWN and self._all[name] <= MOST_FAILURES

    def pause_for(self, name: str) -> float:
        """Seconds to wait before a model that may be asked is asked again.

        Requests that a broken server lost together come back one by one: should one of them be
        what breaks it, the others have their answer by then.
        """
        longest = min(_LONGEST_PAUSE, 0.1 * 2.0 ** self._own[name])
        return random.SystemRandom().uniform(0.0, longest)

    def waits_its_turn(self, name: str, error: JourneymanError, now: float) -> bool:
        """Tell whether a request that a server refused for having too many stays in the queue."""
        if not isinstance(error, Overloaded):
            return False
        since = self._refused_since.setdefault(name, now)
        return self.is_batch or now - since < SECONDS_OF_REFUSALS


def _is_temporary(error: JourneymanError) -> bool:
    return bool(getattr(error, "is_temporary", False))
