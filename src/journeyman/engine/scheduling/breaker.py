"""Health: a backend or a model that fails is set aside for a while, then tried by one probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from journeyman.engine.scheduling.values import Failed, Policy

State = Literal["closed", "open", "half-open"]

_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """How a breaker behaves; times in seconds, `jitter` returns 0 to 1.

    `growth` is what the cooldown is multiplied by after each failed probe. `takes_requests` tells
    whether a request may be the probe of a half-open breaker; else only a probe of its own closes
    it.
    """

    failures: int
    cooldown: float
    longest: float
    jitter: Callable[[], float]
    growth: float = 2.0
    takes_requests: bool = True

    @classmethod
    def of_backend(cls, policy: Policy, jitter: Callable[[], float]) -> Settings:
        """One failure tells that a machine is away; a cheap sign of life tells that it is back."""
        return cls(
            1,
            policy.cooldown_of_backend,
            policy.longest_of_backend,
            jitter,
            policy.growth_of_backend,
            takes_requests=False,
        )

    @classmethod
    def of_model(cls, policy: Policy, jitter: Callable[[], float]) -> Settings:
        """Only a request shows whether a model works."""
        return cls(policy.failures_of_model, policy.cooldown, policy.longest_cooldown, jitter)


class Breaker:
    """Closed: all may pass. Open: none. Half-open: one probe, whose outcome decides."""

    def __init__(self, settings: Settings) -> None:
        self.reason = ""
        self.is_temporary = False
        """Whether the failure that opened it may pass by itself."""
        self.probe: str | None = None
        self._settings = settings
        self._failures = 0
        self._openings = 0
        self._until: float | None = None

    def state(self, now: float) -> State:
        """Tell how it stands."""
        if self._until is None:
            return "closed"
        return "open" if now < self._until else "half-open"

    def lets_pass(self, now: float) -> bool:
        """Tell whether one more request may go."""
        state = self.state(now)
        if state == "half-open":
            return self._settings.takes_requests and self.probe is None
        return state == "closed"

    def wants_probe(self, now: float) -> bool:
        """Tell whether a probe of its own may go now."""
        return self.state(now) == "half-open" and self.probe is None

    def reopens_in(self, now: float) -> float:
        """Seconds until a probe may go; 0 where that is now or where nothing is shut."""
        return max(0.0, self._until - now) if self._until is not None else 0.0

    @property
    def reopens_at(self) -> float | None:
        """The time at which a probe may go; None if it is closed."""
        return self._until

    def start(self, request_id: str, now: float) -> None:
        """Note a request that goes: behind a half-open breaker it is the probe."""
        if self.state(now) == "half-open":
            self.probe = request_id

    def succeed(self, request_id: str) -> None:
        """Note that the server answered. While it is set aside, only the probe counts."""
        if self._until is None:
            self._failures = 0
        elif self.probe == request_id:
            self._failures = self._openings = 0
            self._until, self.probe, self.reason = None, None, ""

    def fail(self, request_id: str, now: float, failure: Failed) -> None:
        """Note a failure; its `retry_after` is the cooldown that the server asked for.

        What was already under way when the breaker opened says nothing new when it fails too.
        """
        if self._until is not None and self.probe != request_id:
            return
        told = failure.retry_after
        self._failures += 1
        if self._until is None and told is None and self._failures < self._settings.failures:
            return
        wait = told if told is not None else self._cooldown()
        self._openings += 1
        self._until = now + wait * (1 + _SPREAD * self._settings.jitter())
        self.probe, self.reason, self.is_temporary = None, failure.reason, failure.temporary

    def give_up(self, request_id: str) -> None:
        """Note that a request was cancelled: the next one may be the probe."""
        if self.probe == request_id:
            self.probe = None

    def _cooldown(self) -> float:
        grown = self._settings.cooldown * self._settings.growth ** min(self._openings, 30)
        return min(grown, self._settings.longest)
