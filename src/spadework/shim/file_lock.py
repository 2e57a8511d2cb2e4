"""A file lock that the system releases when its holder dies, however that happens."""

from __future__ import annotations

import os
import sys


def try_lock(path: str) -> int | None:
    """Take a lock without waiting.

    The file is never deleted: who waits for the lock has it open, and would then hold a lock on
    nothing.

    Returns:
        The open file, to be closed by `os.close`, which lets go of it; None if somebody holds it.

    Raises:
        OSError: the file cannot be made.
    """
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(opened)
    except OSError:
        os.close(opened)
        return None
    return opened


def is_held(path: str) -> bool:
    """Tell whether somebody holds a lock; several who look at once do not see one another.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        opened = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        _lock(opened, shared=True)
    except OSError:
        return True
    finally:
        os.close(opened)
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock(opened: int, *, shared: bool = False) -> None:
        del shared  # this system has no such locks
        os.lseek(opened, 1 << 30, os.SEEK_SET)  # beyond what is written, so that it stays readable
        msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)
        os.lseek(opened, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(opened: int, *, shared: bool = False) -> None:
        fcntl.flock(opened, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
