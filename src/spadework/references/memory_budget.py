"""One budget of memory for all confined processes, so that many at once take no more than it says.

A process reserves its limit of memory before it starts, and waits its turn if that much is not
free. The budget is the user's, not the process's: the units that are taken are byte ranges of one
file in the temporary folder, locked by the process that has them and free again when it dies. So
the daemon, a command that works without it and the workers of pipelines share it. Where a
file system has no locks, the budget is that of this process.

Use one reservation at a time: to wait for a second one while holding a first can wait for ever.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.references.cancellation import checkpoint, current, seconds_left

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = 64 << 20  # bytes; what is reserved is rounded up to it
SHARE = 4  # of the machine's memory, one part
LEAST, MOST = 1 << 30, 4 << 30  # of the default, in bytes
SECONDS_BETWEEN_LOOKS = 0.1  # at what other processes have given back, and at the deadline
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class MemoryBudget:
    """Bytes that confined processes may have together.

    Safe for threads. What waits comes in turn: first the client that holds least, then who came
    first; a large reservation is not overtaken by smaller ones.

    Args:
        total: in bytes.
        folder: where the file of locks lies; None for no other process but this.
    """

    def __init__(self, total: int, folder: Path | None = None) -> None:
        self._turn = threading.Condition()
        self._waiting: list[tuple[int, str]] = []
        self._tickets = 0
        self._held: dict[str, int] = {}
        self._units: set[int] = set()
        self._folder = folder
        self._file: int | None = None
        self.total = total

    def resize(self, total: int) -> None:
        """Change the total; what is reserved stays."""
        with self._turn:
            self.total = total
            self._turn.notify_all()

    def largest(self, size: int) -> int:
        """The most of a size that can ever be reserved."""
        return min(size, max(UNIT, self.total))

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Hold so many bytes during the body, and wait for them as long as the call has time.

        Args:
            size: in bytes, at most what `largest` gives.

        Raises:
            WorkStopped: the call was cancelled, or its deadline passed before so much was free.
            ValueError: there will never be so much.
        """
        if size > self.largest(size):
            raise ValueError(f"{size} bytes are more than the budget of {self.total}")
        client = current().client
        units = self._acquire(-(-size // UNIT), client)
        try:
            yield
        finally:
            self._release(units, client)

    def _acquire(self, count: int, client: str) -> set[int]:
        with self._turn:
            self._tickets += 1
            ticket = (self._tickets, client)
            self._waiting.append(ticket)
            try:
                while self._next() != ticket or not (units := self._take(count)):
                    checkpoint()
                    self._turn.wait(seconds_left(SECONDS_BETWEEN_LOOKS))
            finally:
                self._waiting.remove(ticket)
                self._turn.notify_all()
            self._held[client] = self._held.get(client, 0) + count
            return units

    def _release(self, units: set[int], client: str) -> None:
        with self._turn:
            self._units -= units
            self._held[client] -= len(units)
            if not self._held[client]:
                del self._held[client]
            for unit in units:
                self._unlock(unit)
            self._turn.notify_all()

    def _next(self) -> tuple[int, str]:
        return min(self._waiting, key=lambda one: (self._held.get(one[1], 0), one[0]))

    def _take(self, count: int) -> set[int]:
        """Take units that neither this process has nor another one; none if there are too few."""
        taken: set[int] = set()
        for unit in range(max(1, self.total // UNIT)):
            if unit not in self._units and self._lock(unit):
                taken.add(unit)
                if len(taken) == count:
                    self._units |= taken
                    return taken
        for unit in taken:
            self._unlock(unit)
        return set()

    def _lock(self, unit: int) -> bool:
        file = self._opened()
        if file is None:
            return True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, unit)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True

    def _unlock(self, unit: int) -> None:
        if self._file is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, unit)

    def _opened(self) -> int | None:
        # Opened once: a process loses its locks with the first descriptor of a file that it closes.
        if self._file is None and self._folder is not None:
            self._file = _opened_in(self._folder)
            if self._file is None:
                self._folder = None
        return self._file


def _opened_in(folder: Path) -> int | None:
    """Open the file of locks; None where the folder or the file is not the user's own."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(folder / "memory.lock", flags, 0o600)
    return None


def default_total() -> int:
    """A quarter of the memory of this machine or container, from 1 to 4 GiB."""
    memory = MOST * SHARE
    with suppress(OSError, ValueError, AttributeError):  # a system that does not tell
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no limit of a container, or "max"
        memory = min(memory, int(CGROUP_LIMIT.read_text()))
    return max(LEAST, min(MOST, memory // SHARE))


def _locks_folder() -> Path | None:
    try:
        return Path(tempfile.gettempdir(), f"spadework-{os.getuid()}")
    except FileNotFoundError:  # a full disk: the budget is then that of this process
        return None


BUDGET = MemoryBudget(default_total(), _locks_folder())
"""The one of this user. `references.max_memory_bytes` of the config resizes it."""


def configure(total: int | None) -> None:
    """Take the config's total; None for the default."""
    BUDGET.resize(default_total() if total is None else total)
