"""Reads a proxy's config file, shows what changes, and puts the new one in its place."""

from __future__ import annotations

import os
import re
import stat
from difflib import unified_diff
from typing import TYPE_CHECKING

from spadework.config.secret_masking import is_secret_name, masked
from spadework.errors import ConfigError
from spadework.litellm.model_entries import ENVIRONMENT, NO_KEY
from spadework.litellm.yaml_document import decode
from spadework.util.atomic_files import keep_copy, replace_file

if TYPE_CHECKING:
    from pathlib import Path

# A key and its value, bare or quoted, in lines or in brackets.
_PAIR = re.compile(
    r"""(["']?)(?<![\w.-])([\w.-]++)\1(\s*:\s*)("[^"]*"?|'[^']*'?|[^\s,{}\[\]#][^,{}\[\]#]*)"""
)
_PASSWORD = re.compile(r"//[^/@\s]*@")


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


def difference(before: str, after: str, name: str) -> str:
    """Return the difference of two texts in unified form, without secrets.

    Args:
        before: the text before.
        after: the text after.
        name: what the file is called in it.
    """
    lines = list(
        unified_diff(
            before.splitlines(), after.splitlines(), name, f"{name} (new)", n=3, lineterm=""
        )
    )
    shown, is_replaced = lines[:2], False
    for line in lines[2:]:
        # What comes in place of a line has that line's own text in it; other new lines are ours.
        is_replaced = line.startswith("-") or (is_replaced and line.startswith("+"))
        is_ours = line.startswith(("+", "@@")) and not is_replaced
        shown.append(line if is_ours else _without_secrets(line))
    return "".join(f"{line}\n" for line in shown)


def _without_secrets(line: str) -> str:
    return _PASSWORD.sub("//***@", masked(_PAIR.sub(_hidden, line)))


def _hidden(match: re.Match[str]) -> str:
    value = match[4].strip().strip("\"'")
    harmless = value.isdigit() or value == NO_KEY or value.startswith(ENVIRONMENT)
    if harmless or not is_secret_name(match[2]):
        return match[0]
    return f"{match[1]}{match[2]}{match[1]}{match[3]}***"
