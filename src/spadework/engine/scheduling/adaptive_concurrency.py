"""Adaptive concurrency limits for each model, learned from refusals: AIMD, as in TCP.

A server that answers 429 says that it has too many, not that it is broken. Each refusal brings the
limit down to what the server holds at that moment, and somewhat below; each round of answers raises
it by one, so that the limit follows a server that others use as well. What was refused is tried
again ever less often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.engine.scheduling.slot_requests import Model

DECREASE = 0.9
"""The factor of the multiplicative decrease."""

MOST_ROUNDS = 8
"""A limit that holds is tried again after so many rounds of answers, so that refusals get rare."""

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
"""Seconds until a model that refuses even a single request is asked again; doubled in between."""


@dataclass(slots=True)
class _Limit:
    requests: float
    lowered_at: float = float("-inf")
    refused_at: float = float("inf")
    """The number of requests at once that was one too many."""
    rounds: int = 1
    """Rounds of answers before that number is tried again; doubled each time that it is refused."""
    refusals_alone: int = 0
    paused_until: float = float("-inf")


class ConcurrencyLimits:
    """The limits of all models; a model that never refused has none.

    Args:
        jitter: returns 0 to 1.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._limits: dict[Model, _Limit] = {}

    def of(self, model: Model) -> int | None:
        """How many requests may run at once; None where no limit is known."""
        limit = self._limits.get(model)
        return None if limit is None else int(limit.requests)

    def is_paused(self, model: Model, now: float) -> bool:
        """Tell whether a model is left alone for a moment."""
        return self.paused_for(model, now) > 0

    def paused_for(self, model: Model, now: float) -> float:
        """Seconds until a model may be asked again."""
        limit = self._limits.get(model)
        return 0.0 if limit is None else max(0.0, limit.paused_until - now)

    def note_answer(self, model: Model, most: int) -> None:
        """Raise a limit by one for each round of answers, up to `most`; beyond that it is none."""
        limit = self._limits.get(model)
        if limit is None:
            return
        limit.refusals_alone = 0
        step = 1 / limit.requests
        if limit.refused_at - 1 <= limit.requests < limit.refused_at:
            step /= limit.rounds
        if limit.requests >= limit.refused_at + 1:  # it takes more by now
            limit.rounds, limit.refused_at = 1, float("inf")
        limit.requests += step
        if limit.requests >= most:
            del self._limits[model]

    def note_refusal(
        self, model: Model, others: int, since: float, now: float, told: float | None
    ) -> None:
        """Lower a limit: once by the factor for all that was sent before it was lowered.

        Args:
            model: the model that refused a request.
            others: our other requests that it has at this moment.
            since: when the refused request was sent.
            now: the time, in seconds as `since`.
            told: seconds after which the server wants to be asked again, None if it did not say.
        """
        limit = self._limits.setdefault(model, _Limit(float(others + 1)))
        if since >= limit.lowered_at:
            limit.requests *= DECREASE
            limit.lowered_at = now
            limit.rounds = min(MOST_ROUNDS, 2 * limit.rounds)
        limit.requests = max(1.0, min(limit.requests, float(others)))
        limit.refused_at = others + 1.0
        if others and told is None:
            return  # one of the others must end first
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**limit.refusals_alone)
        limit.refusals_alone = min(limit.refusals_alone + 1, 30)
        limit.paused_until = now + max(pause, told or 0.0) * (1 + self._jitter() / 4)

    def next_change(self, now: float) -> float | None:
        """When the next pause ends; None if there is none."""
        ends = (limit.paused_until for limit in self._limits.values())
        return min((end for end in ends if end > now), default=None)

    def forget(self, backend: str) -> None:
        """Forget the limits of a backend: its name stands for another server now."""
        self._limits = {
            model: limit for model, limit in self._limits.items() if model.backend != backend
        }
