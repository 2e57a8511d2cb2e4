"""A backend's key: from the environment or a file, never from the config, never shown."""

from __future__ import annotations

import logging
import os
import re
import stat
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

from spadework.config.secret_masking import SUBSCRIPTION_PREFIX
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spadework.config.models import BackendConfig, Config

_MAX_BYTES = 64_000
_NO_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # Windows has no such flag
_LOG = logging.getLogger(__name__)

window_keys: ContextVar[Mapping[str, str]] = ContextVar("window_keys", default=MappingProxyType({}))
"""The keys of the window whose work this task does, by the variable's name. They take precedence
over the process's own; a task that is started inherits them."""


def wanted_names(config: Config) -> tuple[str, ...]:
    """Return the names of the environment variables that hold keys of the config's backends."""
    return tuple(sorted({one.api_key_env for one in config.backends.values() if one.api_key_env}))


def resolve_key(backend: BackendConfig, environ: Mapping[str, str]) -> str | None:
    """Return a backend's key: from `api_key_env` if that is set, else from `api_key_file`.

    Logs a warning if other users of the machine may read the file.

    Raises:
        ConfigError: the file is missing, unreadable or empty, or holds no key, or the key is the
            token of a subscription. No message holds any part of the key.
    """
    if backend.api_key_file and (warning := exposed(backend.api_key_file)):
        _LOG.warning(warning)
    return _found(backend, environ)


def key_warnings(backend: BackendConfig, environ: Mapping[str, str]) -> list[str]:
    """Say why a backend's key cannot be used, without any part of the key."""
    file = backend.api_key_file
    warnings = [exposed(file)] if file else []
    try:
        if _found(backend, environ) is None and backend.api_key_env:
            warnings.append(f"the environment variable {backend.api_key_env} is not set")
    except ConfigError as error:
        warnings.append(f"{error}; {error.hint}")
    return [warning for warning in warnings if warning]


def key_hint(name: str, backend: BackendConfig) -> str:
    """Say what to set so that a backend gets its key.

    Args:
        name: the backend's name.
        backend: its config.
    """
    variable, file = backend.api_key_env, backend.api_key_file
    if variable and file:
        return f"set the environment variable {variable}, or put the key of {name!r} into {file}"
    if variable:
        return f"set the environment variable {variable} to the key of {name!r}"
    if file:
        return f"put the key of {name!r} into the first line of {file}"
    return f'name the variable that holds its key: api_key_env = "…" under [backends.{name}]'


def exposed(file: Path) -> str:
    """Say so if other users of the machine may read a key file; else return nothing."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return ""
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        return f"others may read the key file {file}: `chmod 600 {file}`"
    return ""


def checked_key(key: str, source: str) -> str:
    """Return a key that can be one.

    Args:
        key: the key.
        source: where it comes from, for the message.

    Raises:
        ConfigError: it is the token of a subscription, or no key. The message does not hold it.
    """
    if key.startswith(SUBSCRIPTION_PREFIX):
        raise ConfigError(
            f"{source} holds the token of a Claude subscription, which is never used",
            hint="use a key of the backend itself",
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(
            f"{source} holds no key: spaces, line ends, control or non-ASCII signs are in it",
            hint="write the bare key, nothing before or after it",
        )
    return key


def _found(backend: BackendConfig, environ: Mapping[str, str]) -> str | None:
    variable, file = backend.api_key_env, backend.api_key_file
    if variable and (key := environ.get(variable, "").strip()):
        return checked_key(key, f"the environment variable {variable}")
    return checked_key(_first_line(file), f"the key file {file}") if file else None


def _read_regular(file: Path) -> bytes | None:
    """Read the beginning of a regular file, None for any other: a pipe would be waited for."""
    opened = os.open(file, _NO_WAITING)
    try:
        return os.read(opened, _MAX_BYTES) if stat.S_ISREG(os.fstat(opened).st_mode) else None
    finally:
        os.close(opened)


def _first_line(file: Path) -> str:
    try:
        content = _read_regular(file)
    except FileNotFoundError:
        raise ConfigError(
            f"the key file {file} is missing", hint="write the key into its first line"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"the key file {file} cannot be read: {reason}",
            hint="it must be a file that you may read",
        ) from None
    if content is None:
        raise ConfigError(
            f"the key file {file} cannot be read: it is not a regular file",
            hint="write the key into the first line of a regular file",
        )
    line = content.partition(b"\n")[0].decode("utf-8-sig", "replace").strip()
    if not line:
        raise ConfigError(f"the key file {file} is empty", hint="write the key into its first line")
    return line
