"""A config file's TOML: read, changed in place and written, every failure with file and line.

A change leaves all else as the user wrote it, comments too. A file is replaced atomically, and a
copy of what was there is kept.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.config.secret_masking import is_secret_name
from spadework.config.type_names import shown
from spadework.errors import ConfigError
from spadework.util.atomic_files import keep_copy, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

MAX_BYTES = 1_000_000

_PLACE = re.compile(
    r"(?<!\s)\s*+\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)
# tomllib's words, and what they mean to someone who does not know the TOML specification.
_MEANINGS = (
    ("Invalid value", "invalid value", 'put text in quotes: key = "text"'),
    ("Unescaped", "a backslash in a text", "write it in single quotes: 'C:\\models'"),
    ("Cannot overwrite", "a key or table that is already there", "keep one of the two"),
    ("Cannot declare", "a table that is already there", "put its keys under the first one"),
    ("Duplicate inline", "a key that is already there", "keep one of the two"),
    ("Cannot mutate", "a table or list that was closed before", "write all of it in one place"),
    ("Expected '='", "a key needs '=' and a value", 'such as key = "text"'),
    ("Invalid statement", "neither a key nor a [table]", ""),
    ("Expected ']'", "the table's name lacks its closing bracket", "write it as [table]"),
    ("Exceeds the limit", "a number that is too long", ""),
    ("Expected newline", "unexpected text after the value", "write one key per line"),
    ("Unterminated string", "a text lacks its closing quotes", ""),
    ('Expected "', "a text lacks its closing quotes", ""),
    ("Unclosed array", "a list lacks its closing bracket", ""),
    ("Unclosed inline", "a table lacks its closing brace", ""),
    ("Illegal character", "a line or control character inside a text", "close the quotes"),
)


def read_text(file: Path) -> str:
    """Read a config file.

    Raises:
        ConfigError: it is missing, a folder, unreadable, too large or no UTF-8 text.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: is a folder, not a config file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file}: is larger than {MAX_BYTES:,} bytes: no config file")
    return decode(content, file)


def decode(content: bytes, file: Path) -> str:
    """Decode a config file's bytes; a byte order mark is allowed.

    Raises:
        ConfigError: it is not valid UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}:{line}: not valid UTF-8", hint="save the file as UTF-8 in your editor"
        ) from None


def parse(text: str, file: Path) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        ConfigError: it is not valid TOML; names line and column, and shows the line.
    """
    import tomllib  # noqa: PLC0415 - 8 ms that a missing file does not need

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{file}:1: lists or tables are nested too deeply") from None
    except ValueError as error:
        raise _syntax_error(str(error), text, file) from None


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
    except (tomlkit.exceptions.TOMLKitError, ConfigError):
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


def _syntax_error(message: str, text: str, file: Path) -> ConfigError:
    place = _PLACE.search(message)
    lines = text.split("\n")
    if place and place["line"]:
        line, column = int(place["line"]), int(place["column"])
    else:
        line = next((at for at in range(len(lines), 0, -1) if lines[at - 1].strip()), 1)
        column = len(lines[line - 1].rstrip()) + 1
    what, hint = _PLACE.sub("", message), ""
    for beginning, meaning, advice in _MEANINGS:
        if what.startswith(beginning):
            what, hint = meaning, advice
    written = _as_written(lines, line)
    return ConfigError(f"{file}:{line}:{column}: not valid TOML: {what}{written}", hint=hint)


def _as_written(lines: list[str], line: int) -> str:
    """Show the wrong line, unless it could contain a key."""
    near = "\n".join(lines[max(0, line - 3) : line]).replace("max_tokens", "")
    return "" if is_secret_name(near) else f", in {shown(lines[line - 1].strip())}"
