"""Stores runs and their items; every process that works on them reads and updates them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from spadework.errors import PipelineError
from spadework.pipelines.items import Item, ItemResult
from spadework.pipelines.store.records import (
    DONE,
    EVENTS,
    ITEMS,
    METADATA,
    PRIVATE,
    REPEATS,
    RUNS,
    WAITING,
    WRITTEN,
    Counts,
    Options,
    Run,
)
from spadework.util.serialization import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import State

_SOME = 500
_LOCK = 0x73706164  # "spad": one process makes the tables at a time


def prepare(database: Database) -> None:
    """Make what tables are missing.

    Raises:
        RunsUnavailable: the database cannot be used.
    """
    with database.writing() as connection:
        if database.is_shared:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        else:  # Python begins no transaction for a CREATE by itself
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        METADATA.create_all(connection)


class Runs:
    """The runs of a database; every method raises RunsUnavailable if that cannot be used."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, run: Run, items: Sequence[Item]) -> bool:
        """Make a run and its items, all or nothing; False if the id is taken."""
        with self.database.writing() as connection:
            if _one(connection, run.id) is not None:
                return False
            connection.execute(RUNS.insert().values(**_run_columns(run)))
            rows = [_item_columns(run.id, item) for item in items]
            for start in range(0, len(rows), _SOME):
                connection.execute(ITEMS.insert(), rows[start : start + _SOME])
        return True

    def find(self, run: str) -> Run:
        """Read a run.

        Raises:
            PipelineError: there is none of that id.
        """
        with self.database.reading() as connection:
            found = _one(connection, run)
        if found is None:
            raise PipelineError(f"no such run: {run!r}", hint="`spadework pipeline list`")
        return found

    def exists(self, run: str) -> bool:
        """Whether there is a run of that id."""
        with self.database.reading() as connection:
            return _one(connection, run) is not None

    def newest(self, limit: int) -> list[Run]:
        """Read the newest runs."""
        query = sa.select(RUNS).order_by(RUNS.c.created.desc()).limit(limit)
        with self.database.reading() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def change(self, run: str, *, state: State, error: str = "", value: Any = None) -> None:
        """Say where a run stands."""
        ended = None if state == "running" else self.database.now()
        self.database.change(
            RUNS.update()
            .where(RUNS.c.id == run)
            .values(state=state, error=_plain(error), value=_json(value), ended=ended)
        )

    def resume(self, run: str, options: Options) -> int:
        """Set a run going again; returns the number of this attempt."""
        with self.database.writing() as connection:
            connection.execute(
                RUNS.update()
                .where(RUNS.c.id == run)
                .values(
                    state="running",
                    error="",
                    ended=None,
                    attempt=RUNS.c.attempt + 1,
                    options=_json(encode(options)),
                )
            )
            found = _one(connection, run)
        return found.attempt if found else 0

    def note_attempt(self, run: str, attempt: int) -> None:
        """Keep the number of the attempt that goes on."""
        self.database.change(RUNS.update().where(RUNS.c.id == run).values(attempt=attempt))

    def state(self, run: str) -> State | None:
        """Where a run stands; None if there is none."""
        found = self.database.read_values(sa.select(RUNS.c.state).where(RUNS.c.id == run))
        return next(iter(found), None)

    def item(self, run: str, number: int) -> tuple[Item, bool]:
        """Read an item, and whether it has its row already."""
        query = sa.select(ITEMS.c.item, ITEMS.c.state).where(_is(run, number))
        ((text, state),) = self.database.read(query)
        item: Item = decode(Item, json.loads(text), "item")
        return item, state != WAITING

    def keep_private(self, run: str, number: int) -> None:
        """Keep that an item is private, or the end of a run: 0."""
        self.database.insert_missing(PRIVATE, [{"run": run, "number": number}])

    def became_private(self, run: str, number: int) -> bool:
        """Whether an item is kept as private; the end of a run, 0, is if anything of it is."""
        query = sa.select(PRIVATE.c.run).where(PRIVATE.c.run == run)
        if number:
            query = query.where(PRIVATE.c.number == number)
        return bool(self.database.read(query.limit(1)))

    def private_outs(self) -> list[str]:
        """The files of results of the runs that worked on something private."""
        is_one = sa.exists().where(PRIVATE.c.run == RUNS.c.id)
        found = self.database.read_values(sa.select(RUNS.c.options).where(is_one))
        outs = (json.loads(options).get("out") for options in found)
        return [out for out in outs if out]

    def is_private(self, run: str) -> bool:
        """Whether every item of a run is private."""
        query = sa.select(ITEMS.c.item).where(ITEMS.c.run == run)
        return all(json.loads(text)["private"] for text in self.database.read_values(query))

    def has_row(self, run: str, number: int) -> bool:
        """Whether an item has its row; the end of a run, number 0, has none."""
        query = sa.select(ITEMS.c.state).where(_is(run, number))
        return any(state != WAITING for state in self.database.read_values(query))

    def waiting(self, run: str) -> list[int]:
        """The numbers of the items that have no row."""
        query = sa.select(ITEMS.c.number).where(ITEMS.c.run == run, ITEMS.c.state == WAITING)
        return self.database.read_values(query.order_by(ITEMS.c.number))

    def finish_item(self, run: str, row: ItemResult) -> bool:
        """Keep an item's row, once; tells whether it was the last one."""
        unfinished = sa.select(ITEMS.c.number).where(ITEMS.c.run == run, ITEMS.c.state == WAITING)
        self.database.change(
            ITEMS.update()
            .where(_is(run, row.number), ITEMS.c.state == WAITING)
            .values(
                state=DONE,
                failed=int(row.failed),
                repeated=row.repeated,
                row=_json(encode(row)),
            )
        )
        # After the commit: of two that end at once, at least one sees that none is left.
        return not self.database.read(unfinished.limit(1))

    def unwritten(self, run: str) -> list[ItemResult]:
        """Some of the rows that are not in the results, in order."""
        query = (
            sa.select(ITEMS.c.row)
            .where(ITEMS.c.run == run, ITEMS.c.state == DONE)
            .order_by(ITEMS.c.number)
            .limit(_SOME)
        )
        return [_row(text) for text in self.database.read_values(query)]

    def mark_written(self, run: str, numbers: Sequence[int]) -> None:
        """Say that rows are in the results."""
        with self.database.writing() as connection:
            for start in range(0, len(numbers), _SOME):  # a statement takes so many values at most
                some = ITEMS.c.number.in_(numbers[start : start + _SOME])
                connection.execute(
                    ITEMS.update()
                    .where(ITEMS.c.run == run, some, ITEMS.c.state == DONE)
                    .values(state=WRITTEN)
                )

    def forget_written(self, run: str) -> None:
        """Say that no row is in the results: they are compared with the file anew."""
        self.database.change(
            ITEMS.update().where(ITEMS.c.run == run, ITEMS.c.state == WRITTEN).values(state=DONE)
        )

    def forget_failed(self, run: str) -> int:
        """Take the rows of items that failed away, so that these wait again; returns how many."""
        return self.database.change(
            ITEMS.update()
            .where(ITEMS.c.run == run, ITEMS.c.failed == 1)
            .values(state=WAITING, failed=0, row=None)
        )

    def counts(self, run: str) -> Counts:
        """Count the items that have a row."""
        query = sa.select(
            sa.func.count(), sa.func.sum(ITEMS.c.failed), sa.func.sum(ITEMS.c.repeated)
        ).where(ITEMS.c.run == run, ITEMS.c.state != WAITING)
        ((done, failed, repeated),) = self.database.read(query)
        return Counts(done, failed or 0, repeated or 0)

    def rows(self, run: str) -> Iterator[ItemResult]:
        """Read every row in the order of the items."""
        query = (
            sa.select(ITEMS.c.row)
            .where(ITEMS.c.run == run, ITEMS.c.state != WAITING)
            .order_by(ITEMS.c.number)
        )
        with self.database.reading() as connection:
            for text in connection.execute(query).scalars():
                yield _row(text)

    def repeated(self, run: str, number: int) -> int:
        """How often a call of an item was in flight when a process died."""
        query = (
            sa.select(sa.func.count())
            .select_from(REPEATS)
            .where(REPEATS.c.run == run, REPEATS.c.number == number)
        )
        return sum(self.database.read_values(query))

    def tell(self, run: str, text: str) -> None:
        """Add a line to a run's log."""
        self.database.change(
            EVENTS.insert().values(run=run, at=self.database.now(), text=_plain(text))
        )

    def log(self, run: str) -> list[tuple[float, str]]:
        """Read a run's log: seconds since the epoch, and a text."""
        query = sa.select(EVENTS.c.at, EVENTS.c.text).where(EVENTS.c.run == run)
        return [(at, text) for at, text in self.database.read(query.order_by(EVENTS.c.id))]


def _is(run: str, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(ITEMS.c.run == run, ITEMS.c.number == number)


def _one(connection: sa.Connection, run: str) -> Run | None:
    row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run)).mappings().first()
    return _run(row) if row else None


def _run(row: sa.RowMapping) -> Run:
    columns = dict(row)
    columns["options"] = decode(Options, json.loads(columns["options"]), "options")
    columns["value"] = json.loads(columns["value"]) if columns["value"] else None
    return Run(**columns)


def _run_columns(run: Run) -> dict[str, Any]:
    columns: dict[str, Any] = encode(run)
    return {**columns, "options": _json(columns["options"]), "value": None}


def _item_columns(run: str, item: Item) -> dict[str, Any]:
    return {"run": run, "number": item.number, "state": WAITING, "item": _json(encode(item))}


def _row(text: str) -> ItemResult:
    row: ItemResult = decode(ItemResult, json.loads(text), "row")
    return row


def _plain(text: str) -> str:
    """A text that any database takes: without NULs and half characters."""
    return text.replace("\0", "?").encode(errors="replace").decode()


def _json(value: Any) -> str | None:
    """JSON with escapes: lone surrogates of file names and NULs pass through any database."""
    return None if value is None else json.dumps(value, separators=(",", ":"))
