"""Reads a proxy's config file, and puts the new one in its place."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from spadework.errors import ConfigError
from spadework.litellm.yaml_document import decode
from spadework.util.atomic_files import keep_copy, replace_file

if TYPE_CHECKING:
    from pathlib import Path


def load(file: Path) -> str:
    """Return a config's text as it is.

    Raises:
        ConfigError: it is missing, unreadable, no ordinary file, or no text.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise ConfigError(f"{file}: not a regular file")
        content = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: is not there", hint="`spadework litellm config --out FILE` writes a new one"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read: {reason}") from None
    return decode(content, str(file))


def save_new(file: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        ConfigError: it is there, or it cannot be written.
    """
    refuse_existing(file)
    _put(file, text)


def refuse_existing(file: Path) -> None:
    """Refuse to write over a file.

    Raises:
        ConfigError: it is there.
    """
    if os.path.lexists(file):
        raise ConfigError(
            f"{file}: is already there",
            hint=f"`--merge {file}` adds what it lacks, and keeps a copy",
        )


def save(file: Path, text: str, before: str) -> Path | None:
    """Put the new text in place of the one that was read, and keep a copy of that.

    Returns:
        The copy.

    Raises:
        ConfigError: the file has changed meanwhile, or it cannot be written.
    """
    if load(file) != before:
        raise ConfigError(
            f"{file}: somebody else has changed it meanwhile, so nothing was written",
            hint="run the command again",
        )
    try:
        copy = keep_copy(file)
    except OSError as error:
        raise ConfigError(f"{file}: no copy can be kept: {error.strerror}") from None
    _put(file, text)
    return copy


def _put(file: Path, text: str) -> None:
    try:
        replace_file(file, text.encode())
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be written: {error.strerror}",
            hint="`--dry-run` only shows what would be written",
        ) from None
