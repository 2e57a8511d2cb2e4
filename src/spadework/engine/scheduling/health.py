"""The circuit breakers of all backends and models."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING

from spadework.engine.scheduling.circuit_breaker import BreakerSettings, CircuitBreaker
from spadework.engine.scheduling.slot_requests import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spadework.engine.scheduling.slot_requests import Model, Policy, RequestResult


class Health:
    """A request passes where both its backend's and its model's breaker let it.

    A half-open model is tried by one request; a half-open backend by a probe that loads nothing.

    Args:
        policy: cooldowns and thresholds.
        jitter: returns 0 to 1; spreads the probes of many clients.
    """

    def __init__(self, policy: Policy, jitter: Callable[[], float]) -> None:
        self._of_backend = BreakerSettings.of_backend(policy, jitter)
        self._of_model = BreakerSettings.of_model(policy, jitter)
        self._breakers: dict[str, CircuitBreaker] = {}
        self._claims = count()

    def lets_pass(self, model: Model, now: float) -> bool:
        """Tell whether a request may go to a model now."""
        return all(breaker.lets_pass(now) for breaker in self._both(model))

    def reopens_in(self, model: Model, now: float) -> float:
        """Seconds until a probe may go; 0 where one may, or is under way."""
        return max((breaker.reopens_in(now) for breaker in self._both(model)), default=0.0)

    def is_worth_waiting_for(self, model: Model, now: float, max_suspension: float) -> bool:
        """Tell whether a model that may not be asked will soon: a dead machine is not waited for.

        It is once a probe may go, since that shows within seconds how it stands.
        """
        backend = self._breakers.get(model.backend)
        if backend is not None and backend.state(now) == "open":
            return False
        return self.reopens_in(model, now) <= max_suspension

    def reason(self, model: Model) -> str:
        """Tell why a model is suspended; empty where it is not."""
        return next((breaker.reason for breaker in self._both(model) if breaker.reason), "")

    def is_temporary(self, model: Model) -> bool:
        """Tell whether all that stands against a model may pass by itself."""
        return all(breaker.is_temporary for breaker in self._both(model) if breaker.reason)

    def failed_probes(self, model: Model) -> int:
        """How often a model was suspended since it answered last."""
        return max((breaker.openings for breaker in self._both(model)), default=0)

    def shut_since(self, model: Model, now: float) -> float:
        """Since when something stands against a model; now if nothing does."""
        times = (breaker.shut_since for breaker in self._both(model))
        return min((at for at in times if at is not None), default=now)

    def suspension(self, model: Model, now: float) -> str:
        """Say for how long a model is suspended, and why."""
        wait = math.ceil(self.reopens_in(model, now))
        until = f"for another {wait} s" if wait else "until it shows a sign of life,"
        return f"suspended {until} after a failure: {self.reason(model)}"

    def start(self, model: Model, request_id: str, now: float) -> None:
        """Note a request that goes."""
        for breaker in self._both(model):
            breaker.start(request_id, now)

    def give_up(self, model: Model, request_id: str) -> None:
        """Note a request that was cancelled."""
        for breaker in self._both(model):
            breaker.give_up(request_id)

    def note(self, model: Model, request_id: str, result: RequestResult, now: float) -> None:
        """Note how a request ended. A model's failure still shows that its backend answers."""
        if not isinstance(result, Failed) or result.scope == "request":
            for breaker in self._both(model):
                breaker.succeed(request_id)
            return
        backend = self._breakers.setdefault(model.backend, CircuitBreaker(self._of_backend))
        own = self._breakers.setdefault(str(model), CircuitBreaker(self._of_model))
        if result.scope == "backend":
            backend.fail(request_id, now, result)
            own.give_up(request_id)
            return
        backend.succeed(request_id)
        own.fail(request_id, now, result)

    def is_closed(self, backend: str, now: float) -> bool:
        """Tell whether nothing stands against a backend."""
        return backend not in self._breakers or self._breakers[backend].state(now) == "closed"

    def take_probe(self, backend: str, now: float, *, eager: bool = False) -> str:
        """Claim the probe of a half-open backend; the claim is empty where none may go.

        An eager one may go while the backend is still suspended.
        """
        breaker = self._breakers.get(backend)
        if breaker is None or not breaker.wants_probe(now, eager=eager):
            return ""
        claim = f"probe {next(self._claims)}"
        breaker.start_probe(claim, eager=eager)
        return claim

    def eager_from(self, backends: Iterable[str]) -> float | None:
        """When an eager probe of one of these may go; None for never."""
        times = (self._breakers[name].eager_from for name in backends if name in self._breakers)
        return min((at for at in times if at is not None), default=None)

    def note_probe(self, backend: str, claim: str, failure: str, now: float) -> None:
        """Note how a question without a slot ended; `failure` is empty for well.

        Without a claim it may open a breaker that is closed, but never close one.
        """
        if failure:
            breaker = self._breakers.setdefault(backend, CircuitBreaker(self._of_backend))
            breaker.fail(claim, now, Failed("backend", failure, temporary=True))
        elif backend in self._breakers:
            self._breakers[backend].succeed(claim)

    def give_up_probe(self, backend: str, claim: str) -> None:
        """Note that a probe ended without having learnt anything: the next one may go."""
        if backend in self._breakers:
            self._breakers[backend].give_up(claim)

    def forget(self, backend: str) -> None:
        """Forget everything about a backend and its models: it is another one now."""
        for name in [one for one in self._breakers if one.partition("/")[0] == backend]:
            del self._breakers[name]

    def shut(self, now: float) -> frozenset[tuple[str, float | None]]:
        """Name the backends and models that let nothing pass now, and until when."""
        return frozenset(
            (name, breaker.reopens_at)
            for name, breaker in self._breakers.items()
            if not breaker.lets_pass(now)
        )

    def next_change(self, now: float) -> float | None:
        """When the next breaker becomes half-open by itself."""
        times = (breaker.reopens_at for breaker in self._breakers.values())
        return min((at for at in times if at is not None and at > now), default=None)

    def __iter__(self) -> Iterator[tuple[str, CircuitBreaker]]:
        yield from self._breakers.items()

    def _both(self, model: Model) -> Iterator[CircuitBreaker]:
        for name in (model.backend, str(model)):
            if name in self._breakers:
                yield self._breakers[name]
