"""The lock that makes a daemon the only one, and the socket it listens on.

The system releases both when the process dies, however that happens; a socket file that stays
behind does no harm.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import DaemonError
from spadework.shim.file_lock import is_held, try_lock

if TYPE_CHECKING:
    from spadework.shim.rendezvous import Endpoint

_MOST_WAITING = 4096
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_OF_A_LOOK = 0.2
"""A process that checks whether a daemon is alive holds its lock for a moment."""


class InstanceLock:
    """The lock and the listening socket of the daemon at an endpoint.

    Args:
        place: where it is met.
        seconds: how long to wait for another daemon that is about to end.

    Raises:
        DaemonError: another one runs, or the place cannot be used.
    """

    def __init__(self, place: Endpoint, seconds: float = 0.0) -> None:
        self._place = place
        self._released = False
        try:
            self._lock = _life_lock(place, seconds)
            try:
                self.socket = self._listen()
                self._mark = _mark_of(self._file)
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise DaemonError(
                f"the daemon cannot listen: {error.filename or place.socket}: "
                f"{error.strerror or error}",
                hint="free the disk, or set XDG_RUNTIME_DIR to a folder of yours",
            ) from error

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        return self._place.socket

    def is_ours(self) -> bool:
        """Tell whether who looks for a daemon still finds this one.

        Cleaners of temporary folders take socket files away.
        """
        return _mark_of(self._file) == self._mark

    def release(self) -> None:
        """Make room for another daemon: it can listen and start from here on."""
        if self._released:  # what lies there now is another daemon's
            return
        self._released = True
        self.socket.close()
        if self.is_ours():
            with suppress(OSError):
                self._file.unlink()
        with suppress(OSError):
            os.close(self._lock)

    @property
    def _file(self) -> Path:
        return Path(self._place.socket)

    def _listen(self) -> socket.socket:
        with suppress(FileNotFoundError):  # whose daemon has ended: we have its lock
            self._file.unlink()
        listening = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listening.bind(self._place.socket)
        except BaseException:
            listening.close()
            raise
        finally:
            os.umask(mask)
        listening.listen(_MOST_WAITING)
        return listening


def holder(place: Endpoint) -> int | None:
    """Return the process id of the daemon that lives here, also of one that does not answer."""
    try:
        if not is_held(place.life_lock):
            return None
        return int(Path(place.life_lock).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _life_lock(place: Endpoint, seconds: float) -> int:
    deadline = time.monotonic() + max(seconds, _SECONDS_OF_A_LOOK)
    while (lock := try_lock(place.life_lock)) is None:
        if time.monotonic() >= deadline:
            pid = holder(place)
            raise DaemonError(
                f"a daemon runs already{f' (process {pid})' if pid else ''}",
                hint="`spadework daemon stop` ends it",
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _mark_of(file: Path) -> tuple[int, int] | None:
    """Tell one file from the next of that name, which may well get the same inode."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
