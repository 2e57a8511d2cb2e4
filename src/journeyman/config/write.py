"""Writes a config file whole or not at all, and keeps what stood there before."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from journeyman.errors import ConfigError

BACKUP_SUFFIX = ".bak"


def write_config(path: Path, text: str) -> Path | None:
    """Put a config file in place; a symlink to it is followed, as for dotfiles.

    Args:
        path: where it goes; folders are made.
        text: all of it.

    Returns:
        The copy of the file that stood there before, None if there was none.

    Raises:
        ConfigError: it cannot be written; then nothing has changed.
    """
    file = Path(os.path.realpath(path))
    backup = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            backup = Path(shutil.copy2(file, path.with_name(path.name + BACKUP_SUFFIX)))
        _replace(file, text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written: {error.strerror}",
            hint="`journeyman config init --dry-run` only shows the file",
        ) from None
    return backup


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
