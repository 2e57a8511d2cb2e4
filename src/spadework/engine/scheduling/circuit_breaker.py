"""Circuit breaker: a failing backend or model is skipped for a while, then probed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.engine.scheduling.slot_requests import Failed, Policy

BreakerState = Literal["closed", "open", "half-open"]

_SPREAD = 0.2
_MOST_EXPONENT = 100


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Exponential backoff: the first delay in seconds, the factor, and the maximum."""

    first: float
    growth: float
    longest: float

    def after(self, times: int) -> float:
        """Seconds after so many failed probes."""
        return min(self.first * self.growth ** min(times, _MOST_EXPONENT), self.longest)


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """How a breaker behaves; `jitter` returns 0 to 1.

    `failures` in a row open it. `cooldown` is how long it stays open; `quick` the same after a
    failure that may pass by itself, for a model, and how soon an eager probe may go, for a backend.
    `takes_requests` tells whether a request may be the probe of a half-open breaker; else only a
    probe of its own closes it.
    """

    failures: int
    cooldown: Cooldown
    quick: Cooldown
    jitter: Callable[[], float]
    takes_requests: bool = True

    @classmethod
    def of_backend(cls, policy: Policy, jitter: Callable[[], float]) -> BreakerSettings:
        """One failure tells that a machine is away; a cheap sign of life tells that it is back."""
        return cls(1, *_cooldowns(policy), jitter, takes_requests=False)

    @classmethod
    def of_model(cls, policy: Policy, jitter: Callable[[], float]) -> BreakerSettings:
        """Only a request shows whether a model works."""
        return cls(policy.failures_of_model, *_cooldowns(policy), jitter)


def _cooldowns(policy: Policy) -> tuple[Cooldown, Cooldown]:
    return (
        Cooldown(policy.cooldown, 2.0, policy.longest_cooldown),
        Cooldown(policy.quick_cooldown, policy.quick_growth, policy.longest_quick_cooldown),
    )


class CircuitBreaker:
    """Closed: all may pass. Open: none. Half-open: one probe, whose outcome decides.

    A probe may also go while it is open, if somebody waits for nothing else: an eager one.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self.reason = ""
        self.is_temporary = False
        """Whether the failure that opened it may pass by itself."""
        self.probe: str | None = None
        self._settings = settings
        self._failures = 0
        self.openings = 0
        """How often it has opened since it was last closed."""
        self.shut_since: float | None = None
        """When it opened first since then; None if it is closed."""
        self._probes = 0
        self._is_eager = False
        self._until: float | None = None
        self._eager_from = float("inf")

    def state(self, now: float) -> BreakerState:
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

    def wants_probe(self, now: float, *, eager: bool = False) -> bool:
        """Tell whether a probe of its own may go now."""
        if self._until is None or self.probe is not None:
            return False
        return now >= (min(self._until, self._eager_from) if eager else self._until)

    def reopens_in(self, now: float) -> float:
        """Seconds until a probe may go; 0 where that is now or where nothing is shut."""
        return max(0.0, self._until - now) if self._until is not None else 0.0

    @property
    def reopens_at(self) -> float | None:
        """The time at which a probe may go; None if it is closed."""
        return self._until

    @property
    def eager_from(self) -> float | None:
        """The time at which an eager probe may go; None if it is closed or one is under way."""
        if self._until is None or self.probe is not None:
            return None
        return min(self._until, self._eager_from)

    def start(self, request_id: str, now: float) -> None:
        """Note a request that goes: behind a half-open breaker it is the probe."""
        if self.state(now) == "half-open":
            self.probe = request_id

    def start_probe(self, claim: str, *, eager: bool) -> None:
        """Note a probe of its own."""
        self.probe, self._is_eager = claim, eager

    def succeed(self, request_id: str) -> None:
        """Note that the server answered. While it is suspended, only the probe counts."""
        if self._until is None:
            self._failures = 0
        elif self.probe == request_id:
            self._failures = self.openings = self._probes = 0
            self.shut_since = None
            self._until, self.probe, self.reason, self._is_eager = None, None, "", False

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
        quick = self._settings.quick.after(self._probes)
        if self._is_eager:  # the next one comes soon, so others need not wait for it much longer
            wait = max(quick, self._settings.cooldown.first)
        else:
            wait = self._cooldown(failure) if told is None else max(told, quick)
            self.openings += 1
        self._probes += 1
        self.shut_since = now if self.shut_since is None else self.shut_since
        self._until = now + self._spread(wait)
        self._eager_from = now + self._spread(quick)
        self.probe, self._is_eager = None, False
        self.reason, self.is_temporary = failure.reason, failure.temporary

    def give_up(self, request_id: str) -> None:
        """Note that a request was cancelled: the next one may be the probe."""
        if self.probe == request_id:
            self.probe, self._is_eager = None, False

    def _cooldown(self, failure: Failed) -> float:
        is_quick = failure.temporary and self._settings.takes_requests
        cooldown = self._settings.quick if is_quick else self._settings.cooldown
        return cooldown.after(self.openings)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + _SPREAD * self._settings.jitter())
