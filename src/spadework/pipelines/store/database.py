"""The database that keeps the runs: SQLite in the data folder, or Postgres by its address."""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from spadework.errors import ArgumentError, RunsUnavailable
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ENGINE_VARIABLE = "SPADEWORK_ENGINE"
_BUSY_MILLISECONDS = 30_000
_CONNECT_SECONDS = 10
_SQLITE = "sqlite"
_DRIVER = "postgresql+psycopg"


def engine_url(chosen: str, configured: str) -> sa.URL:
    """Find out which database is meant: what was chosen, else the variable, else the config's.

    Raises:
        ArgumentError: it is the address of something else.
    """
    text = chosen or os.environ.get(ENGINE_VARIABLE, "") or configured
    if not text:
        return sa.URL.create(_SQLITE, database=str(data_folder() / "pipelines.db"))
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    kind = url.drivername.partition("+")[0] if url else ""
    # What was given is not shown: a password may stand anywhere in it.
    if url is None or kind not in {_SQLITE, "postgresql", "postgres"}:
        raise ArgumentError(
            "--engine is neither postgresql://HOST/NAME nor sqlite:///FILE",
            hint="leave it out to use SQLite in the data folder",
        )
    if "@" in (url.host or ""):
        raise ArgumentError(
            "--engine: there is an @ too many in the address",
            hint="a password belongs into PGPASSWORD or ~/.pgpass; in an address its @ is %40",
        )
    if kind == _SQLITE:
        if not url.database or url.database == ":memory:":
            raise ArgumentError("--engine sqlite://… names no file", hint="sqlite:///FILE")
        return url.set(drivername=_SQLITE, database=str(Path(url.database).absolute()))
    return url.set(drivername=_DRIVER)


class Database:
    """An open database. Threads may share it; processes open one each.

    Args:
        url: as `engine_url` gives it.

    Raises:
        RunsUnavailable: it cannot be opened.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.is_shared = url.drivername != _SQLITE
        """Whether several machines can work on it."""
        self._opened: list[sa.Engine] = []
        self.engine = self.lend()
        self._writing = threading.Lock()

    @property
    def shown_url(self) -> str:
        """The address as `--engine` takes it, without the password."""
        url = self.url.set(drivername=self.url.get_backend_name())
        return url.render_as_string(hide_password=True)

    def lend(self) -> sa.Engine:
        """Open a set of connections; `close` closes them all.

        Raises:
            RunsUnavailable: the file cannot be made.
        """
        self._opened.append(self._open())
        return self._opened[-1]

    def _open(self) -> sa.Engine:
        if self.is_shared:
            return sa.create_engine(
                self.url,
                pool_size=8,
                max_overflow=16,
                pool_pre_ping=True,
                connect_args={"connect_timeout": _CONNECT_SECONDS},
            )
        self._make_file()
        engine = sa.create_engine(self.url, pool_size=8, max_overflow=56)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def _make_file(self) -> None:
        file = Path(self.url.database or "")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():  # it tells what was read and answered: for its owner alone
                file.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise RunsUnavailable(
                f"the runs cannot be kept in {file}: {error.strerror}",
                hint="free disk space, fix the folder's permissions, or choose another by --engine",
            ) from None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Lend a connection to read by.

        Raises:
            RunsUnavailable: the database cannot be reached or used.
        """
        with self._told(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Lend a connection whose changes are made all or not at all.

        Raises:
            RunsUnavailable: the database cannot be reached or used.
        """
        with self._told():
            if self.is_shared:
                with self.engine.begin() as connection:
                    yield connection
                return
            # Threads of one process would else wait for SQLite's lock by sleeping.
            with self._writing, self.engine.begin() as connection:
                yield connection

    def read(self, query: sa.Executable) -> Sequence[Any]:
        """Read every row of a query.

        Raises:
            RunsUnavailable: the database cannot be reached or used.
        """
        with self.reading() as connection:
            return connection.execute(query).all()

    def read_values(self, query: sa.Executable) -> list[Any]:
        """Read the first column of a query, as `read` does."""
        return [row[0] for row in self.read(query)]

    def change(self, statement: sa.Update | sa.Insert | sa.Delete) -> int:
        """Make one change; returns how many rows it met.

        Raises:
            RunsUnavailable: the database cannot be reached or used.
        """
        with self.writing() as connection:
            return connection.execute(statement).rowcount

    def insert_missing(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert what rows are not there yet, by their primary key.

        Raises:
            RunsUnavailable: the database cannot be reached or used.
        """
        insert = postgresql.insert(table) if self.is_shared else sqlite.insert(table)
        if rows:
            with self.writing() as connection:
                connection.execute(insert.on_conflict_do_nothing(), rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            raise self.unusable(error) from error

    def now(self) -> Any:
        """The database's own time in seconds since the epoch, for clocks of machines differ."""
        if self.is_shared:
            return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Float)
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)

    def unusable(self, error: Exception) -> RunsUnavailable:
        """Say in one line what is wrong with the database."""
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        why = lines[0] if lines else type(error).__name__
        host = f"{self.url.host or 'the local'}/" if self.is_shared else ""
        if self.is_shared:
            hint = "is the server up, and may this user in?"
        elif re.search("full|disk", why):
            hint = "free the disk; what is done is kept"
        else:
            hint = "is it one of ours, and whole? move it away, or choose another by --engine"
        text = f"the runs' database {host}{self.url.database} cannot be used: {why}"
        return RunsUnavailable(text, hint=hint)

    def close(self) -> None:
        """Close every connection."""
        for engine in self._opened:
            engine.dispose()


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last rows: repeats
    connection.execute("PRAGMA foreign_keys = ON")
