"""Writes a config file whole or not at all, and keeps what stood there before."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

from journeyman.errors import ConfigError

BACKUP_SUFFIX = ".bak"


def write_config(path: Path, text: str) -> Path | None:
    """Put a config file in place; a symlink to it is followed, as for dotfiles.

    Args:
        path: where it goes; folders are made.
        text: all of it.

    Returns:
        The copy of the file that stood there before, None if there was none. Earlier copies stay.

    Raises:
        ConfigError: it cannot be written; then nothing has changed.
    """
    file = Path(os.path.realpath(path))
    backup = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            backup = _kept(file, path)
        _replace(file, text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written: {error.strerror}",
            hint="`journeyman config init --dry-run` only shows the file",
        ) from None
    return backup


def _kept(file: Path, path: Path) -> Path:
    """Keep a copy as `.bak`, `.bak.1`, …: no copy of another content is ever overwritten."""
    for number in count():
        backup = path.with_name(path.name + BACKUP_SUFFIX + (f".{number}" if number else ""))
        if not os.path.lexists(backup):
            return Path(shutil.copy2(file, backup))
        if backup.is_file() and filecmp.cmp(file, backup, shallow=False):
            return backup
    raise AssertionError("counting does not end")


def _replace(file: Path, text: str) -> None:
    handle, passing = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as written:
            written.write(text)
        if file.exists():
            shutil.copymode(file, passing)
        Path(passing).replace(file)
    except BaseException:
        Path(passing).unlink(missing_ok=True)
        raise
