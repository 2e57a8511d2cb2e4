"""What a daemon holds while it is the one: the lock of its life, and the socket it listens on.

Both are let go of by the system when the process dies, however that happens; what stays behind,
a socket file or a port file, stands in nobody's way.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import DaemonError
from spadework.shim.client import uses_tcp
from spadework.shim.file_lock import is_held, try_lock

if TYPE_CHECKING:
    from spadework.shim.rendezvous import Endpoint

_MOST_WAITING = 4096
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_OF_A_LOOK = 0.2
"""Who looks whether a daemon lives has its lock for a moment."""


class InstanceLock:
    """The lock and the listening socket of the daemon at a place.

    Args:
        place: where it is met.
        seconds: how long to wait for another daemon that is about to end.

    Raises:
        DaemonError: another one runs, or the place cannot be used.
    """

    def __init__(self, place: Endpoint, seconds: float = 0.0) -> None:
        self._place = place
        self._given_up = False
        self.token = ""
        """What a visitor must know, where the system does not tell who it is."""
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
        if self.token:
            return f"127.0.0.1:{self.socket.getsockname()[1]}"
        return self._place.socket

    def is_ours(self) -> bool:
        """Tell whether who looks for a daemon still finds this one.

        Cleaners of temporary folders take socket files away.
        """
        return _mark_of(self._file) == self._mark

    def give_up(self) -> None:
        """Make room for another daemon: it can listen and start from here on."""
        if self._given_up:  # what lies there now is another daemon's
            return
        self._given_up = True
        self.socket.close()
        if self.is_ours():
            with suppress(OSError):
                self._file.unlink()
        with suppress(OSError):
            os.close(self._lock)

    @property
    def _file(self) -> Path:
        return Path(self._place.port_file if uses_tcp() else self._place.socket)

    def _listen(self) -> socket.socket:
        with suppress(FileNotFoundError):  # whose daemon has ended: we have its lock
            self._file.unlink()
        if uses_tcp():
            return self._listen_on_loopback()
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

    def _listen_on_loopback(self) -> socket.socket:
        listening = socket.create_server(("127.0.0.1", 0), backlog=_MOST_WAITING)
        self.token = secrets.token_urlsafe(32)
        draft = self._file.with_suffix(".port-draft")
        try:
            draft.unlink(missing_ok=True)
            opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w") as file:
                file.write(f"{listening.getsockname()[1]} {self.token}\n")
            draft.replace(self._file)
        except BaseException:
            listening.close()
            raise
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
