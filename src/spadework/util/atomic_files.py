"""Puts a file in place whole or not at all, and keeps what stood there before."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BACKUP_SUFFIX = ".bak"


def replace_file(path: Path, content: bytes, *, only_if: Callable[[], bool] = lambda: True) -> bool:
    """Put a file in place, with the rights of the one before; its folder is made.

    Args:
        path: where it goes; a symlink is followed, as for dotfiles.
        content: all of it.
        only_if: asked at the last moment; if it says no, nothing changes.

    Returns:
        Whether it was put in place.

    Raises:
        OSError: it cannot be written; then nothing has changed.
    """
    file = Path(os.path.realpath(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, passing = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(content)
        if file.exists():
            shutil.copymode(file, passing)
        if not only_if():
            Path(passing).unlink()
            return False
        Path(passing).replace(file)
    except BaseException:
        Path(passing).unlink(missing_ok=True)
        raise
    return True


def replace_keeping(path: Path, content: bytes) -> Path | None:
    """Put a file in place; one of another content, which a user may have edited, is kept beside it.

    Returns:
        Where the one before is kept, if it was another.

    Raises:
        OSError: it cannot be written; then nothing has changed.
    """
    is_other = path.exists() and path.read_bytes() != content
    kept = keep_copy(path) if is_other else None
    replace_file(path, content)
    return kept


def keep_copy(path: Path) -> Path | None:
    """Keep a copy beside a file as `.bak`, `.bak.1`, …: no copy of another content is overwritten.

    Args:
        path: the file; a symlink is followed, and the copy lies beside the symlink.

    Returns:
        The copy; None if there is no such file.

    Raises:
        OSError: it cannot be written.
    """
    file = Path(os.path.realpath(path))
    if not file.exists():
        return None
    for number in count():
        backup = path.with_name(path.name + BACKUP_SUFFIX + (f".{number}" if number else ""))
        if not os.path.lexists(backup):
            return Path(shutil.copy2(file, backup))
        if backup.is_file() and filecmp.cmp(file, backup, shallow=False):
            return backup
    raise AssertionError("counting does not end")
