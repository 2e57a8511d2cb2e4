"""The stored answers: the same model, prompt and content need not be asked again.

SQLite in the data folder, bounded in size; what was not used for longest goes first. It holds
answers, never what they were made from. A cache that cannot be used costs nobody an answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.errors import CacheError
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0
_SHARE_KEPT = 0.9
"""What is left of the limit when room is made, so that this is not done for every answer."""
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS answers (
        key TEXT PRIMARY KEY,
        used REAL NOT NULL,
        size INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
"""
_INDEX = "CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used)"


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How many answers are kept, and how many bytes they take."""

    answers: int
    bytes: int


def cache_path() -> Path:
    """Where the cache lies."""
    return data_folder() / "answers.db"


def key_of(*parts: Any) -> str:
    """Name what an answer was given to, by its content.

    Args:
        parts: all that the answer depends on, as JSON has it.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class AnswerStore:
    """An open cache. Threads may share it; processes open one each.

    Args:
        path: the SQLite file; it is made.
        max_bytes: the most that the answers in it take.

    Raises:
        CacheError: the file cannot be used.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():  # answers tell of what was read: for its owner alone
                path.touch(mode=0o600, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_SCHEMA)
            self._connection.execute(_INDEX)
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path, error) from error

    def find(self, key: str) -> dict[str, Any] | None:
        """Return what was kept under a key, None if nothing is.

        Raises:
            CacheError: the file cannot be used.
        """
        try:
            with self._lock:
                row = self._connection.execute(
                    "UPDATE answers SET used = ? WHERE key = ? RETURNING answer",
                    [time.time(), key],
                ).fetchone()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        try:
            found = json.loads(row[0]) if row else None
        except ValueError:  # somebody else wrote there
            return None
        return found if isinstance(found, dict) else None

    def keep(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer; what was not used for longest makes room for it.

        Raises:
            CacheError: the file cannot be used.
        """
        text = json.dumps(answer, ensure_ascii=False).encode(errors="replace").decode()
        size = len(text.encode())
        if size > self._max_bytes:
            return
        try:
            with self._lock:
                self._connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                    [key, time.time(), size, text],
                )
                self._make_room()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _make_room(self) -> None:
        if self._bytes() <= self._max_bytes:
            return
        self._connection.execute(
            """
            DELETE FROM answers WHERE key IN (
                SELECT key FROM (
                    SELECT key, sum(size) OVER (ORDER BY used DESC, key) AS total FROM answers
                ) WHERE total > ?
            )
            """,
            [int(self._max_bytes * _SHARE_KEPT)],
        )

    def _bytes(self) -> int:
        query = "SELECT coalesce(sum(size), 0) FROM answers"
        return int(self._connection.execute(query).fetchone()[0])

    def stats(self) -> CacheStats:
        """Tell how much it holds.

        Raises:
            CacheError: the file cannot be used.
        """
        try:
            with self._lock:
                query = "SELECT count(*), coalesce(sum(size), 0) FROM answers"
                return CacheStats(*self._connection.execute(query).fetchone())
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def clear(self) -> CacheStats:
        """Forget everything; returns what there was.

        Raises:
            CacheError: the file cannot be used.
        """
        before = self.stats()
        try:
            with self._lock:
                self._connection.execute("DELETE FROM answers")
                self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        return before

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _unusable(path: Path, error: Exception) -> CacheError:
    return CacheError(
        f"the cache {path} cannot be used: {error}",
        hint="delete that file, or switch it off with `enabled = false` under [cache]",
    )
