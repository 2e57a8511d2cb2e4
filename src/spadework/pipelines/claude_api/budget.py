"""The budget of a run: no call starts that could exceed it, whatever happens on its way.

What counts against the budget: what was spent, the worst case of every call under way, and the
worst case of every send whose end nobody saw, because a process died or a connection broke. All
of it is in one table, and is read and changed under one lock, so several processes and
machines share a budget.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from spadework.errors import BudgetReached
from spadework.pipelines.claude_api.request import in_dollars
from spadework.pipelines.items import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


RESERVED, IN_FLIGHT, WAITING, SETTLED, FAILED = (
    "reserved",  # it has its part of the budget and is not sent yet
    "in-flight",  # it may have been sent; nobody has seen its end
    "waiting",  # it is in a batch whose id is known
    "settled",  # answered; the cost is the true one
    "failed",  # it ended without an answer
)
OPEN = (RESERVED, IN_FLIGHT, WAITING)

_metadata = sa.MetaData()
calls = sa.Table(
    "spadework_claude_calls",
    _metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # Which send of this call this row speaks of: an older one settles nothing.
    sa.Column("send", sa.Integer, nullable=False),
    # Money in billionths of a dollar. `worst` is that of the send under way, `lost` the sum of
    # the worst cases of sends whose end nobody saw.
    sa.Column("worst", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("lost", sa.BigInteger, nullable=False),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
    sa.Column("changed_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one run; `call_id` stays the same when the call is repeated."""

    run_id: str
    call_id: str
    step: str


@dataclass(frozen=True, slots=True)
class Spend:
    """The cost of a run in US dollars; calls in flight and lost calls count with their maximum."""

    spent_usd: float
    in_flight_usd: float
    lost_usd: float


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The state of one call in the budget.

    `answer` if it was settled before; `batch_id` if it waits in a batch; else it may be sent, and
    `send` is the number to settle it by.
    """

    send: int
    answer: Reply | None = None
    batch_id: str = ""


class Budget:
    """Tracks and limits the cost of each run in a database that threads and processes share."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        _create(engine)

    def find(self, call_id: str) -> BudgetState | None:
        """Tell what is known of a call that was settled or waits in a batch; else None."""
        with self._engine.connect() as connection:
            row = _row(connection, call_id)
        return _standing(row) if row is not None and _needs_no_send(row) else None

    def reserve(
        self, call: Call, worst: int, budget: int | None, *, sent: bool = True
    ) -> BudgetState:
        """Set the worst case of a call aside, in billionths of a dollar, before it is sent.

        A call that was sent before and whose end nobody saw counts as lost, and once more.
        Without `sent` it is not going out yet: if this process dies now, nothing is lost.

        Raises:
            BudgetReached: it could pass the budget; nothing was set aside.
        """
        with self._writing(call.run_id) as connection:
            row = _row(connection, call.call_id)
            if row is not None and _needs_no_send(row):
                return _standing(row)
            if row is not None:  # what is lost stays lost even if the new send is refused
                lost = row.worst if row.state == IN_FLIGHT else 0
                _change(connection, call.call_id, state=FAILED, worst=0, lost=row.lost + lost)
        with self._writing(call.run_id) as connection:
            _check(connection, call.run_id, worst, budget)
            row = _row(connection, call.call_id)
            if row is not None and row.state in (SETTLED, *OPEN):  # somebody was quicker
                if _needs_no_send(row):
                    return _standing(row)
                _change(connection, call.call_id, lost=row.lost + row.worst)
            state = IN_FLIGHT if sent else RESERVED
            if row is None:
                fresh = {"cost": 0, "lost": 0, "batch_id": "", "answer": "", "send": 1}
                connection.execute(
                    calls.insert().values(**asdict(call), state=state, worst=worst, **fresh)
                )
                return BudgetState(1)
            send = row.send + 1
            _change(connection, call.call_id, state=state, worst=worst, send=send, batch_id="")
            return BudgetState(send)

    def send_again(self, run_id: str, call_ids: Sequence[str], budget: int | None) -> None:
        """Count what was sent as lost, and set the same aside once more.

        Raises:
            BudgetReached: that could pass the budget. What was sent stays in flight.
        """
        with self._writing(run_id) as connection:
            rows = [row for one in call_ids if (row := _row(connection, one)) is not None]
            _check(connection, run_id, sum(row.worst for row in rows), budget)
            for row in rows:
                _change(connection, row.call_id, lost=row.lost + row.worst)

    def sending(self, run_id: str, call_ids: Sequence[str]) -> None:
        """Note that calls which were set aside go out now."""
        self._change_all(run_id, call_ids, state=IN_FLIGHT)

    def submitted(self, run_id: str, call_ids: Sequence[str], batch_id: str) -> None:
        """Note the batch that calls went out in: from now on they are waited for, not sent."""
        self._change_all(run_id, call_ids, state=WAITING, batch_id=batch_id)

    def settle(self, call: Call, send: int, cost: int, answer: Reply | None) -> None:
        """Put the true cost in place of the worst case; without an answer it was none.

        A send that was counted as lost, or was settled already, changes nothing.
        """
        kept = json.dumps(asdict(answer)) if answer else ""
        with self._writing(call.run_id) as connection:
            row = _row(connection, call.call_id)
            if row is None or row.send != send or row.state not in OPEN:
                return
            state = SETTLED if answer else FAILED
            total = row.cost + cost
            _change(connection, call.call_id, state=state, worst=0, cost=total, answer=kept)

    def release(self, call: Call, send: int) -> None:
        """Give back what was set aside: it was not sent, or it was refused without a charge."""
        self.settle(call, send, 0, None)

    def lose(self, call: Call, send: int) -> None:
        """Count the worst case as spent: it was sent, and its end will not be seen."""
        with self._writing(call.run_id) as connection:
            row = _row(connection, call.call_id)
            if row is None or row.send != send or row.state not in OPEN:
                return
            _change(connection, call.call_id, state=FAILED, worst=0, lost=row.lost + row.worst)

    def spent(self, run_id: str) -> Spend:
        """Tell what a run has cost so far."""
        with self._engine.connect() as connection:
            return Spend(*(in_dollars(one) for one in _sums(connection, run_id)))

    def batches_of(self, run_id: str) -> tuple[str, ...]:
        """Name the batches that calls of a run wait in."""
        query = sa.select(calls.c.batch_id).distinct().order_by(calls.c.batch_id)
        query = query.where(calls.c.run_id == run_id, calls.c.state == WAITING)
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).scalars())

    def _change_all(self, run_id: str, call_ids: Sequence[str], **values: Any) -> None:
        with self._writing(run_id) as connection:
            for one in call_ids:
                _change(connection, one, **values)

    @contextmanager
    def _writing(self, run_id: str) -> Iterator[sa.Connection]:
        """One writer of a run at a time, over all processes; all or nothing."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(run_id, 0))
                connection.execute(sa.select(lock))
            else:
                # Changes nothing, but takes SQLite's one lock of a writer before the first read.
                connection.execute(calls.update().where(sa.false()).values(worst=0))
            yield connection


def _create(engine: sa.Engine) -> None:
    """Make the table where it is missing; another process may do the same at this moment."""
    try:
        _metadata.create_all(engine, checkfirst=True)
    except sa.exc.DBAPIError:
        if not sa.inspect(engine).has_table(calls.name):
            raise


def _row(connection: sa.Connection, call_id: str) -> sa.Row[Any] | None:
    return connection.execute(calls.select().where(calls.c.call_id == call_id)).one_or_none()


def _needs_no_send(row: sa.Row[Any]) -> bool:
    return row.state in (SETTLED, WAITING)


def _standing(row: sa.Row[Any]) -> BudgetState:
    answer = Reply(**json.loads(row.answer)) if row.state == SETTLED else None
    return BudgetState(row.send, answer, row.batch_id if row.state == WAITING else "")


def _change(connection: sa.Connection, call_id: str, **values: Any) -> None:
    changed = calls.update().where(calls.c.call_id == call_id)
    connection.execute(changed.values(**values, changed_at=sa.func.now()))


def _sums(connection: sa.Connection, run_id: str) -> tuple[int, int, int]:
    """Spent, in flight and lost, in billionths."""
    under_way = sa.case((calls.c.state.in_(OPEN), calls.c.worst), else_=0)
    query = sa.select(sa.func.sum(calls.c.cost), sa.func.sum(under_way), sa.func.sum(calls.c.lost))
    found = connection.execute(query.where(calls.c.run_id == run_id)).one()
    spent, in_flight, lost = (int(one or 0) for one in found)
    return spent, in_flight, lost


def _check(connection: sa.Connection, run_id: str, worst: int, budget: int | None) -> None:
    if budget is None:
        return
    spent, in_flight, lost = _sums(connection, run_id)
    if spent + in_flight + lost + worst <= budget:
        return
    parts = [f"{in_dollars(spent):.4f} USD are spent"]
    parts += [f"{in_dollars(in_flight):.4f} are in flight"] if in_flight else []
    parts += [f"{in_dollars(lost):.4f} may be lost"] if lost else []
    raise BudgetReached(
        f"the budget of {in_dollars(budget):g} USD is reached: {', '.join(parts)}, and the next "
        f"call may cost {in_dollars(worst):.4f}",
        hint="resume the run with a larger --budget-usd, or ask for shorter replies",
    )
