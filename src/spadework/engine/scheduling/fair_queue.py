"""The fair queue of one model: interactive before batch, sessions in turn within each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.engine.job import JobKind
    from spadework.engine.scheduling.slot_requests import SlotRequest


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting request, its start time, and its sequence number."""

    request: SlotRequest
    since: float
    number: int


class Lane:
    """Requests of one kind: within a session in order, the sessions in turn."""

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, Waiting]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Waiting]:
        for requests in self._sessions.values():
            yield from requests.values()

    def add(self, waiting: Waiting) -> None:
        """Queue a request; a session that had none waiting comes last in turn."""
        own = self._sessions.setdefault(waiting.request.session, {})
        came_back = bool(own) and next(reversed(own.values())).number > waiting.number
        own[waiting.request.id] = waiting
        self._count += 1
        if came_back:  # from another model's queue: it keeps its place
            in_order = sorted(own.values(), key=lambda one: one.number)
            self._sessions[waiting.request.session] = {one.request.id: one for one in in_order}

    def remove(self, waiting: Waiting) -> None:
        """Let a request go; its session keeps its turn."""
        session = waiting.request.session
        del self._sessions[session][waiting.request.id]
        self._count -= 1
        if not self._sessions[session]:
            del self._sessions[session]

    def take(self, waiting: Waiting) -> None:
        """Serve a request: its session has had its turn."""
        self.remove(waiting)
        session = waiting.request.session
        if session in self._sessions:
            self._sessions[session] = self._sessions.pop(session)

    def first(self) -> Waiting | None:
        """Return the next request."""
        return next(iter(self), None)

    def oldest(self) -> Waiting | None:
        """Who has waited longest."""
        heads = (next(iter(requests.values())) for requests in self._sessions.values())
        return min(heads, key=lambda head: head.number, default=None)

    def ahead_of(self, waiting: Waiting) -> int:
        """How many of these go before a request, which may be queued here or not yet."""
        request = waiting.request
        own = self._sessions.get(request.session, {})
        before = sum(other.number < waiting.number for other in own.values())
        ahead, passed = before, False
        for session, requests in self._sessions.items():
            if session == request.session:
                passed = True
                continue
            ahead += min(len(requests), before if passed else before + 1)
        return ahead


class FairQueue:
    """What waits for one model on one backend."""

    def __init__(self) -> None:
        self._lanes: dict[JobKind, Lane] = {"interactive": Lane(), "batch": Lane()}
        self._last: JobKind = "batch"

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Iterator[Waiting]:
        for lane in self._lanes.values():
            yield from lane

    def add(self, waiting: Waiting) -> None:
        """Queue a request."""
        self._lanes[waiting.request.kind].add(waiting)

    def remove(self, waiting: Waiting) -> None:
        """Let a request go unserved, or served elsewhere."""
        self._lanes[waiting.request.kind].remove(waiting)

    def take(self, waiting: Waiting) -> None:
        """Serve a request."""
        self._lanes[waiting.request.kind].take(waiting)
        self._last = waiting.request.kind

    def first(self, overdue: float) -> Waiting | None:
        """Return the next request.

        Args:
            overdue: batch work that waits since this time or longer takes turns with the
                interactive work, so that neither starves.
        """
        interactive = self._lanes["interactive"].first()
        batch = self._lanes["batch"].first()
        if interactive is None or batch is None:
            return interactive or batch
        batch_had_its_turn = self._last == "batch"
        if batch_had_its_turn or not self._batch_is_overdue(overdue):
            return interactive
        return batch

    def oldest(self) -> Waiting | None:
        """Who has waited longest."""
        heads = [head for lane in self._lanes.values() if (head := lane.oldest())]
        return min(heads, key=lambda head: head.number, default=None)

    def question(self) -> Waiting | None:
        """The next interactive request, None if there is none."""
        return self._lanes["interactive"].first()

    def is_pressing(self, overdue: float) -> bool:
        """Tell whether something interactive waits, or batch work since `overdue` or longer."""
        return bool(self._lanes["interactive"]) or self._batch_is_overdue(overdue)

    def ahead_of(self, waiting: Waiting) -> int:
        """How many go before a request as things stand, which may be queued here or not yet."""
        lane = self._lanes[waiting.request.kind]
        before_all_batch = len(self._lanes["interactive"])
        return lane.ahead_of(waiting) + (before_all_batch if waiting.request.kind == "batch" else 0)

    def _batch_is_overdue(self, overdue: float) -> bool:
        oldest = self._lanes["batch"].oldest()
        return oldest is not None and oldest.since <= overdue
