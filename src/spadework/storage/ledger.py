"""The ledger: one row for each delegation, in SQLite.

WAL lets several processes write while others read; a row is one transaction, so a `kill -9` at any
moment leaves whole rows and nothing else. The schema's version is SQLite's `user_version`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from spadework.errors import LedgerError, ServerFailed
from spadework.util.paths import data_folder
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spadework.config.models import Config

LedgerOutcome = Literal["answered", "handed-back", "refused", "cancelled", "failed"]
OUTCOMES: tuple[LedgerOutcome, ...] = get_args(LedgerOutcome)

_BUSY_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.005
_MOST_ROWS = 2**63 - 1
_ROWS_FOR_FAILURES = 300

# Each script leads from its own number to the next; what has shipped is never edited.
_MIGRATIONS = (
    """
    CREATE TABLE delegations (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        session TEXT NOT NULL,
        tool TEXT NOT NULL,
        model TEXT NOT NULL,
        outcome TEXT NOT NULL,
        prompt_tokens INTEGER,
        completion_tokens INTEGER,
        first_token_seconds REAL,
        seconds REAL NOT NULL,
        bytes_read INTEGER NOT NULL,
        bytes_returned INTEGER NOT NULL,
        tries TEXT NOT NULL,
        error TEXT NOT NULL
    ) STRICT;
    """,
    """
    CREATE INDEX delegations_by_time ON delegations (at);
    CREATE INDEX delegations_by_model ON delegations (model, outcome);
    """,
    """
    ALTER TABLE delegations ADD COLUMN answering_seconds REAL;
    """,
    """
    ALTER TABLE delegations ADD COLUMN confidence REAL;
    ALTER TABLE delegations ADD COLUMN checks TEXT NOT NULL DEFAULT '[]';
    """,
    """
    ALTER TABLE delegations ADD COLUMN run TEXT NOT NULL DEFAULT '';
    ALTER TABLE delegations ADD COLUMN cost_usd REAL;
    CREATE INDEX delegations_by_run ON delegations (run);
    """,
    """
    ALTER TABLE delegations ADD COLUMN failures TEXT NOT NULL DEFAULT '[]';
    """,
)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One delegation.

    `at` is seconds since the epoch; tokens are as the server counted them, None where it did not;
    `answering_seconds` are those from the answering model's first token to its last;
    `bytes_read` went to the model by reference, `bytes_returned` came back to the caller; `tries`
    holds one line for each model that failed, the check that it failed in brackets, and `failures`
    the same model with the stable code of why (rows of before have none); `confidence` is
    that of a label, `checks` are those that the answer passed; `run` is the pipeline's run that it
    was made for; `cost_usd` is what it was charged with, None for a model that charges nothing.
    """

    at: float
    session: str
    tool: str
    model: str
    outcome: LedgerOutcome
    prompt_tokens: int | None
    completion_tokens: int | None
    first_token_seconds: float | None
    seconds: float
    bytes_read: int
    bytes_returned: int
    answering_seconds: float | None = None
    tries: tuple[str, ...] = ()
    error: str = ""
    confidence: float | None = None
    checks: tuple[str, ...] = ()
    run: str = ""
    cost_usd: float | None = None
    failures: tuple[tuple[str, str], ...] = ()


_COLUMNS = tuple(column.name for column in fields(LedgerEntry))


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens per second that a model reads and writes."""

    read: float
    written: float


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries to read; an empty field does not filter. `since` is seconds since the epoch."""

    tool: str = ""
    model: str = ""
    outcome: str = ""
    session: str = ""
    since: float = 0.0
    limit: int = 20
    run: str = ""


class Ledger:
    """An open ledger. Threads may share it; processes open one each.

    Raises:
        LedgerError: the file cannot be opened, written or understood.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():  # it tells what was read: for its owner alone
                path.touch(mode=0o600, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            self._use_wal()
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _use_wal(self) -> None:
        """Switch to WAL. SQLite does not wait for the lock that this takes, so we do."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return

    def _migrate(self) -> None:
        if self._version() == len(_MIGRATIONS):
            return
        with self._lock, _transaction(self._connection):
            version = self._version()
            if version > len(_MIGRATIONS):
                raise LedgerError(
                    f"{self.path}: written by a newer Spadework (schema {version}, this one "
                    f"knows {len(_MIGRATIONS)})",
                    hint="upgrade Spadework, or set ledger.path to another file",
                )
            for script in _MIGRATIONS[version:]:
                for statement in filter(str.strip, script.split(";")):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def record(self, entry: LedgerEntry) -> None:
        """Write one row.

        Raises:
            LedgerError: it could not be written.
        """
        values = [_storable(getattr(entry, name)) for name in _COLUMNS]
        marks = ", ".join("?" * len(_COLUMNS))
        statement = f"INSERT INTO delegations ({', '.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608 - names are ours
        try:
            with self._lock:
                self._connection.execute(statement, values)
        except (sqlite3.Error, OverflowError) as error:
            raise _unusable(self.path, error) from error

    def entries(self, chosen: Filter | None = None) -> Iterator[LedgerEntry]:
        """Read entries, newest first."""
        chosen = chosen or Filter()
        conditions = ["at >= ?"]
        arguments: list[Any] = [chosen.since]
        for column in ("tool", "outcome", "session", "run"):
            if value := getattr(chosen, column):
                conditions.append(f"{column} = ?")
                arguments.append(value)
        if chosen.model:
            conditions.append("model GLOB ?")
            arguments.append(chosen.model)
        query = (
            f"SELECT {', '.join(_COLUMNS)} FROM delegations "  # noqa: S608 - names are ours
            f"WHERE {' AND '.join(conditions)} ORDER BY at DESC, id DESC LIMIT ?"
        )
        try:
            with self._lock:
                rows = self._connection.execute(
                    query, [*arguments, min(chosen.limit, _MOST_ROWS)]
                ).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        for row in rows:
            values_by_name = dict(zip(_COLUMNS, row, strict=True))
            for name in ("tries", "checks"):
                values_by_name[name] = tuple(json.loads(values_by_name[name]))
            values_by_name["failures"] = tuple(map(tuple, json.loads(values_by_name["failures"])))
            yield LedgerEntry(**values_by_name)

    def speed(self, model: str) -> float | None:
        """Tokens per second over a model's newest answers, the wait for the first left out."""
        return self._rate(
            """
            SELECT sum(completion_tokens - 1), sum(answering_seconds) FROM (
                SELECT * FROM delegations
                WHERE model = ? AND outcome = 'answered'
                    AND completion_tokens > 1 AND answering_seconds > 0
                ORDER BY at DESC LIMIT 50
            )
            """,
            model,
        )

    def pace(self, model: str) -> Pace | None:
        """How fast a model read and wrote in its newest answers; None before the first."""
        read = self._rate(
            """
            SELECT sum(prompt_tokens), sum(first_token_seconds) FROM (
                SELECT * FROM delegations
                WHERE model = ? AND outcome = 'answered'
                    AND prompt_tokens > 0 AND first_token_seconds > 0
                ORDER BY at DESC LIMIT 50
            )
            """,
            model,
        )
        written = self.speed(model)
        return Pace(read, written) if read and written else None

    def _rate(self, query: str, model: str) -> float | None:
        try:
            with self._lock:
                tokens, seconds = self._connection.execute(query, [model]).fetchone()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        return tokens / seconds if tokens else None

    def failing(self) -> dict[str, str]:
        """Say of each model whose server failed when it was last asked how it failed.

        Returns:
            Our own words by the model's name, as it is shown; of the newest rows alone.
        """
        found: dict[str, str] = {}
        for entry in self.entries(Filter(limit=_ROWS_FOR_FAILURES)):
            if entry.model:
                found.setdefault(display_name(entry.model), "")
            for (model, code), line in reversed(
                list(zip(entry.failures, entry.tries, strict=False))
            ):
                shown = display_name(model)
                if code == ServerFailed.code:
                    found.setdefault(shown, line.removeprefix(f"{shown}: "))
        return {model: how for model, how in found.items() if how}

    def check(self) -> int:
        """Take the lock of a writer and let it go; return how many rows there are.

        Raises:
            LedgerError: no row could be written now.
        """
        try:
            with self._lock, _transaction(self._connection):
                found = self._connection.execute("SELECT count(*) FROM delegations").fetchone()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        return int(found[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One writer at a time, all or nothing; sqlite3's own context manager does not begin one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _storable(value: Any) -> Any:
    """Turn a field into what SQLite takes; lone surrogates, which UTF-8 cannot encode, become ?."""
    if isinstance(value, tuple):
        return _storable(json.dumps(value, ensure_ascii=False))
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"the ledger {path} cannot be used: {error}",
        hint="free disk space, fix the file's permissions, or set ledger.path to another file",
    )


def ledger_path(config: Config) -> Path:
    """Where the ledger lies: the config's word, else the data folder."""
    return config.ledger.path or data_folder() / "ledger.db"
