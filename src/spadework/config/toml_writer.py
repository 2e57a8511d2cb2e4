"""Writes a config file whole or not at all, and keeps what stood there before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.errors import ConfigError
from spadework.util.atomic_files import keep_copy, replace_file

if TYPE_CHECKING:
    from pathlib import Path


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
    try:
        backup = keep_copy(path)
        replace_file(path, text.encode())
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written: {error.strerror}",
            hint="`spadework config init --dry-run` only shows the file",
        ) from None
    return backup
