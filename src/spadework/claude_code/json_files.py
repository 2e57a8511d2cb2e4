"""Looks into the client's JSON files, and never into its credentials; nothing here changes one.

Who changes a file reads it by `client_files`, which wants every byte.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

CREDENTIAL_FILES = frozenset({".credentials.json"})
"""Where the client keeps its login. No command of ours opens such a file."""
LARGEST = 64_000_000
"""Bytes: the client's own file grows with every project."""

_NO_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # Windows has no such flag


class UnreadableFile(Exception):
    """A file is there, but it cannot be used; the message says why and holds none of it."""


def read_text(file: Path) -> str | None:
    """Read a text file; a byte order mark is left out.

    Returns:
        The text; None if the file does not exist.

    Raises:
        UnreadableFile: it holds the client's login, is not a regular file, too large or unreadable.
    """
    if is_credential_file(file):
        raise UnreadableFile("holds the client's login; it is never read")
    try:
        opened = os.open(file, _NO_WAITING)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            f"cannot be read: {getattr(error, 'strerror', '') or 'no path'}"
        ) from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise UnreadableFile("is not a regular file; it is not read")
    with os.fdopen(opened, "rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UnreadableFile(f"is larger than {LARGEST:,} bytes; it is not read")
    return content.decode("utf-8-sig", errors="replace")


def is_credential_file(file: Path) -> bool:
    """Tell by the name, and by the name of what a symlink leads to."""
    return bool(CREDENTIAL_FILES & {file.name, Path(os.path.realpath(file)).name})


def parse(text: str) -> dict[str, Any]:
    """Parse a JSON object; the client takes neither comments nor trailing commas.

    Raises:
        UnreadableFile: it is none; says at which line.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableFile(
            f"is not valid JSON: line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError):
        raise UnreadableFile("is not valid JSON") from None
    if not isinstance(document, dict):
        raise UnreadableFile("holds no JSON object")
    return document


def read_object(file: Path) -> dict[str, Any]:
    """Read a file that holds a JSON object; empty if the file does not exist or is empty.

    Raises:
        UnreadableFile: see `read_text` and `parse`.
    """
    text = read_text(file)
    return parse(text) if text and text.strip() else {}


def table(document: Any, *keys: str) -> dict[str, Any]:
    """Follow keys to an object; empty where there is none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def texts(value: Any) -> list[str]:
    """Return the strings of a list; empty where it is none."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
