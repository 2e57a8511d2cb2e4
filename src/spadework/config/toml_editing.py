"""Changes one key of a config file and leaves all else as the user wrote it, comments too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.config.toml_reader import parse, read_text
from spadework.config.toml_writer import write_config
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping


def get_value(path: Path, keys: tuple[str, ...]) -> Any:
    """Return what a key is set to in the file itself, None where it is not.

    Raises:
        ConfigError: as for `set_value`.
    """
    file = _real_file(path)
    found: Any = parse(read_text(file), path) if file.exists() else {}
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def set_value(
    path: Path, keys: tuple[str, ...], value: str | float | bool | list[str]
) -> Path | None:
    """Set a key; the file and the tables around the key are made where they are missing.

    Args:
        path: the config file; a symlink is followed.
        keys: the tables around the key, outermost first, then the key.
        value: the new value.

    Returns:
        The copy of the file as it was, None if it was not there or did not change.

    Raises:
        ConfigError: the file is not valid TOML, a parent of the key is not a table, the
            path is a broken symlink, or the file cannot be written.
    """

    def change(document: MutableMapping[str, Any]) -> None:
        table = document
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not hasattr(table, "setdefault"):
                raise ConfigError(f"{path}: {key!r} is not a table, so it cannot hold {keys[-1]!r}")
        table[keys[-1]] = value

    return _edit(path, change)


def remove_value(path: Path, keys: tuple[str, ...]) -> Path | None:
    """Remove a key; does nothing where the file or the key is not there.

    Args:
        path: the config file; a symlink is followed.
        keys: the tables around the key, outermost first, then the key.

    Returns:
        The copy of the file as it was, None if it did not change.

    Raises:
        ConfigError: as for `set_value`.
    """

    def change(document: MutableMapping[str, Any]) -> None:
        table: Any = document
        for key in keys[:-1]:
            table = table.get(key) if hasattr(table, "get") else None
        if hasattr(table, "get") and keys[-1] in table:
            del table[keys[-1]]

    return _edit(path, change) if os.path.lexists(path) else None


def _edit(path: Path, change: Callable[[MutableMapping[str, Any]], None]) -> Path | None:
    import tomlkit  # noqa: PLC0415 - only commands that change the config need it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - as above

    file = _real_file(path)
    before = read_text(file) if file.exists() else ""
    wanted = parse(before, path)
    change(wanted)
    if wanted == parse(before, path):
        return None
    try:
        document = tomlkit.parse(before)
        change(document)
        after = tomlkit.dumps(document)
        exact = parse(after, path) == wanted
    except (TOMLKitError, ConfigError):
        exact = False
    if not exact:
        raise ConfigError(
            f"{path}: the change would alter more than its key, so it was not made",
            hint="make the change in your editor",
        )
    return write_config(path, after)


def _real_file(path: Path) -> Path:
    """Follow symlinks: a config file often lies in a repository of dotfiles."""
    file = Path(os.path.realpath(path))
    if path.is_symlink() and not file.exists():
        raise ConfigError(
            f"{path}: is a symlink to {file}, which is not there",
            hint="restore that file, or remove the symlink",
        )
    return file
