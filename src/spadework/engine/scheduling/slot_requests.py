"""The scheduler's input, in groups of equally preferred models, and its decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.engine.job import JobKind

FailureScope = Literal["backend", "model", "request", "concurrency"]
Why = Literal["busy", "unhealthy", "deadline"]


class Model(NamedTuple):
    """One model on one backend."""

    backend: str
    name: str

    def __str__(self) -> str:
        return f"{self.backend}/{self.name}"

    @classmethod
    def of(cls, model_id: str) -> Model:
        """Split `backend/model`."""
        backend, _, name = model_id.partition("/")
        return cls(backend, name)


@dataclass(frozen=True, slots=True)
class Capacity:
    """The concurrency of a backend.

    Args:
        slots: requests at once, over all models.
        per_model: requests at once for one model, None for no limit but `slots`.
        models: the same for single models by name, where it differs.
        exclusive: whether it holds one model at a time, so that another one means a swap.
    """

    slots: int
    per_model: int | None = None
    models: Mapping[str, int] = field(default_factory=dict)
    exclusive: bool = False

    def __post_init__(self) -> None:
        if min(self.slots, self._per_model, *self.models.values()) < 1:
            raise ValueError("a backend has at least one slot, and so has each of its models")

    def of_model(self, name: str) -> int:
        """Requests at once for one model."""
        return min(self.slots, self.models.get(name, self._per_model))

    @property
    def _per_model(self) -> int:
        return self.slots if self.per_model is None else self.per_model


@dataclass(frozen=True, slots=True)
class Policy:
    """The scheduler's settings; times in seconds.

    Args:
        max_wait: how long a model stands back while another one is served on an exclusive
            backend, and how long batch work stands back behind interactive work.
        max_waiting: the most requests that wait, over all sessions.
        max_waiting_of_session: the most of one kind that wait for one session.
        interactive_patience: on an exclusive backend, a question to another model than the loaded
            one interrupts batch work, at most once in so long.
        max_suspension: the longest suspension of a model that a request waits out. A machine that
            is away is not waited for.
        cooldown: how long a backend or a model is suspended after its first failure; doubled
            with each failed probe.
        longest_cooldown: where doubling ends. What a server itself says may be longer.
        quick_cooldown: the same for a model whose failure may pass by itself, and how soon a
            backend is probed that batch work waits for; multiplied by `quick_growth` each time.
        longest_quick_cooldown: where that ends.
        quick_growth: see `quick_cooldown`.
        failures_of_model: failures in a row that suspend a model. A backend needs but one.
        assumed_service: what a request takes, before one was measured.
        assumed_swap: what a swap takes, before one was measured.
    """

    max_wait: float = 120.0
    max_waiting: int = 2000
    max_waiting_of_session: int = 1000
    interactive_patience: float = 20.0
    max_suspension: float = 5.0
    cooldown: float = 5.0
    longest_cooldown: float = 300.0
    quick_cooldown: float = 0.5
    longest_quick_cooldown: float = 15.0
    quick_growth: float = 1.2
    failures_of_model: int = 3
    assumed_service: float = 10.0
    assumed_swap: float = 10.0


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """A request for a slot.

    Args:
        id: different from that of every other request that waits or runs.
        session: who asks; sessions take turns.
        tiers: the models that will do, best first; those within one tier are equally good. A
            later tier's turn comes only where every model of the earlier ones is suspended.
        kind: interactive takes precedence over batch.
        prefix_digest: a hash of what the prompt begins with, such as a document; empty where
            nothing is shared.
        deadline: the time on the scheduler's clock after which it need not start any more.
        tool: what it is for, as `status` shows it.
    """

    id: str
    session: str
    tiers: tuple[tuple[Model, ...], ...]
    kind: JobKind = "interactive"
    prefix_digest: str = ""
    deadline: float | None = None
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """A slot is granted: ask this model now.

    `cold` says that the model is being loaded for it, which takes about `swap` seconds.
    """

    id: str
    model: Model
    cold: bool = False
    swap: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """No slot, and waiting is pointless; `retry_after` in seconds, None if unknown."""

    id: str
    model: Model
    why: Why
    message: str
    retry_after: float | None = None


Decision = Granted | Refused


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """A request's position in the queue (1 is next), the expected seconds, and its model."""

    position: int
    seconds: float
    model: Model


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The model answered; the quality of the answer does not matter here."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The model did not answer.

    Args:
        scope: whose fault it is. A request's own fault says nothing against the server;
            "concurrency" says that the server has too many of them at once.
        reason: the failure in a line, for those who are refused because of it.
        retry_after: seconds that the server asked for, None where it did not.
        temporary: whether it may pass by itself.
    """

    scope: FailureScope
    reason: str = ""
    retry_after: float | None = None
    temporary: bool = False


RequestResult = Succeeded | Failed


def preference_groups(
    model_ids: Iterable[str], trust: Mapping[str, str]
) -> tuple[tuple[Model, ...], ...]:
    """Put the same model on several backends into one tier, at the place of the first.

    Args:
        model_ids: `backend/model`, best first.
        trust: how far each model is trusted; a local and a cloud one are never equally good.
    """
    tiers: dict[tuple[str, str], list[Model]] = {}
    for model_id in model_ids:
        model = Model.of(model_id)
        tiers.setdefault((model.name, trust[model_id]), []).append(model)
    return tuple(map(tuple, tiers.values()))
