"""The lock that Claude Code takes on `~/.claude.json` while it writes.

Measured on version 2.1.330: the client makes the folder `~/.claude.json.lock` (beside the path as
it is written, a symlink is not followed), reads the file again, puts the new one in place and
removes the folder. A lock whose folder is older than ten seconds counts as left behind.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STALE_SECONDS = 10.0
WAIT_SECONDS = 15.0
_STEP_SECONDS = 0.02


@contextmanager
def client_lock(file: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the client's own lock on a file; keep it for less than ten seconds.

    Raises:
        ConfigError: somebody else holds it for too long.
        OSError: the lock cannot be made.
    """
    folder = file.with_name(file.name + ".lock")
    folder.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    while not _taken(folder):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"{file}: Claude Code has been writing it for {wait_seconds:.0f} seconds",
                hint=f"try again; if no Claude Code runs, remove the folder {folder}",
            )
        time.sleep(_STEP_SECONDS)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            folder.rmdir()


def _taken(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        with suppress(OSError):  # it was released just now, or is not empty
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                folder.rmdir()
        return False
    return True
