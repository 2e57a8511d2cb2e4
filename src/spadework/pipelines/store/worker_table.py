"""The table of worker processes and their heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from spadework.pipelines.store.records import REPEATS, WORKERS, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spadework.pipelines.store.database import Database


class Workers:
    """The workers of a database; every method raises RunsUnavailable if that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, worker: Worker) -> None:
        """Give a sign of life; a worker that was taken for dead meanwhile is listed anew."""
        now = self._database.now()
        with self._database.writing() as connection:
            known = connection.execute(
                WORKERS.update().where(WORKERS.c.executor == worker.executor).values(beat=now)
            )
            if known.rowcount:
                return
            connection.execute(
                WORKERS.insert().values(
                    executor=worker.executor,
                    host=worker.host,
                    pid=worker.pid,
                    run=worker.run,
                    started=now,
                    beat=now,
                )
            )

    def all(self) -> list[Worker]:
        """Every worker that is listed."""
        silent = (self._database.now() - WORKERS.c.beat).label("silent")
        columns = (WORKERS.c.executor, WORKERS.c.host, WORKERS.c.pid, WORKERS.c.run, silent)
        return [Worker(*row) for row in self._database.read(sa.select(*columns))]

    def strike(self, executor: str) -> None:
        """Take a worker off the list, if nobody else did."""
        self._database.change(WORKERS.delete().where(WORKERS.c.executor == executor))

    def give_up(self, executor: str) -> None:
        """Say that a worker is gone, so that nobody waits for a sign of life."""
        self._database.change(
            WORKERS.update().where(WORKERS.c.executor == executor).values(beat=0.0)
        )

    def note_repeats(self, executor: str, calls: Iterable[tuple[str, str, int]]) -> None:
        """Record the calls that a process was making when it died: the call, its run and its item.

        A call counts once for each process that died with it, however often this is recorded.
        """
        rows = [
            {"call": call, "executor": executor, "run": run, "number": number}
            for call, run, number in calls
        ]
        self._database.insert_missing(REPEATS, rows)
