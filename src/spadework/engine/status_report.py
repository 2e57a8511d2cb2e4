"""The status report behind `spadework status` and the status tool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.engine.scheduling.snapshot import BreakerView  # noqa: TC001 - read when it runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.base import Backend
    from spadework.engine.job import Kind
    from spadework.engine.scheduling.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """One backend: requests now, and the models that it holds; None where it does not tell.

    `exclusive` says that it holds one model at a time; `swaps` counts the changes that we caused.
    """

    name: str
    kind: str
    slots: int
    running: int
    waiting: int
    exclusive: bool
    loaded: tuple[str, ...] | None
    swaps: int


@dataclass(frozen=True, slots=True)
class RunningStatus:
    """A request that runs, for `seconds` so far; `cold` while its model is loaded for it."""

    session: str
    tool: str
    model: str
    kind: Kind
    seconds: float
    cold: bool


@dataclass(frozen=True, slots=True)
class WaitingStatus:
    """What one session has waiting for the same models, the longest for `seconds`."""

    session: str
    models: tuple[str, ...]
    kind: Kind
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """A model that failed: when (seconds since 1970), the error's class, its line."""

    at: float
    model: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The complete status of an engine."""

    backends: tuple[BackendStatus, ...]
    running: tuple[RunningStatus, ...]
    waiting: tuple[WaitingStatus, ...]
    breakers: tuple[BreakerView, ...]
    errors: tuple[ErrorStatus, ...]


def standing(shown: Snapshot) -> dict[str, str]:
    """Say of each model that is set aside, runs or is waited for how it stands, by its id."""
    running = Counter(str(one.model) for one in shown.running)
    waiting: Counter[str] = Counter()
    for group in shown.waiting:
        waiting.update(dict.fromkeys(map(str, group.models), group.count))
    said = {
        name: f"{running[name]} running, {waiting[name]} waiting"
        for name in sorted(running.keys() | waiting.keys())
    }
    aside = {one.name: f"set aside for another {one.reopens_in:.0f} s" for one in shown.breakers}
    return said | aside


def make_status(
    shown: Snapshot,
    backends: Mapping[str, Backend],
    loaded: Mapping[str, frozenset[str] | None],
    errors: Iterable[ErrorStatus],
) -> StatusReport:
    """Put together what the queue, the servers and the last failures say.

    Args:
        shown: the queue.
        backends: the backends that the config names now.
        loaded: the models that each backend said it holds; missing where it was not asked.
        errors: the last failures, the newest last.
    """
    return StatusReport(
        backends=tuple(
            BackendStatus(
                name=one.name,
                kind=backends[one.name].kind,
                slots=one.slots,
                running=one.running,
                waiting=one.waiting,
                exclusive=one.exclusive,
                loaded=_in_order(loaded.get(one.name)),
                swaps=one.swaps,
            )
            for one in shown.backends
            if one.name in backends
        ),
        running=tuple(
            RunningStatus(one.session, one.tool, str(one.model), one.kind, one.seconds, one.cold)
            for one in shown.running
        ),
        waiting=tuple(
            WaitingStatus(
                one.session, tuple(map(str, one.models)), one.kind, one.count, one.seconds
            )
            for one in shown.waiting
        ),
        breakers=tuple(one for one in shown.breakers if one.name.partition("/")[0] in backends),
        errors=tuple(errors),
    )


def _in_order(names: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))
