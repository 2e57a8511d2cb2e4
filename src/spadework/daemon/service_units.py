"""The daemon as a service of the user's session: systemd on Linux, launchd on macOS."""

from __future__ import annotations

import os
import plistlib
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import DaemonError
from spadework.util.atomic_files import replace_keeping
from spadework.util.paths import CONFIG_VARIABLE, DATA_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LABEL = "spadework.daemon"
KEPT = (CONFIG_VARIABLE, DATA_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME")
"""What decides which daemon a window finds must be the same for the service."""

_SYSTEMD = """\
[Unit]
Description=Spadework: models on this machine for MCP clients

[Service]
ExecStart={command}
{environment}Restart=on-failure
# 1: another daemon is running, or its folder is unusable; 2: the config is invalid.
RestartPreventExitStatus=1 2

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service: its file, what is in it, and the commands that take it up and drop it."""

    path: Path
    text: str
    start: str
    stop: str


def unit_here() -> Unit:
    """Return the service for this system, user, config and data folder.

    Raises:
        DaemonError: this system has neither systemd nor launchd.
    """
    command = [sys.executable, "-P", "-m", "spadework", "daemon", "run", "--stay"]
    environment = kept_environment(KEPT)
    if sys.platform == "darwin":
        return _launchd(command, environment)
    if sys.platform == "linux":
        return _systemd(command, environment)
    raise DaemonError(
        "no supported service manager was found",
        hint="`spadework daemon run --stay` runs it; windows start one by themselves",
    )


def write_unit(unit: Unit) -> Path | None:
    """Put a service's file in place.

    Returns:
        Where the one before is kept, if it was another: keys may have been written into it.

    Raises:
        DaemonError: it cannot be written.
    """
    try:
        return replace_keeping(unit.path, unit.text.encode())
    except OSError as error:
        raise _unwritable(unit, error) from None


def remove_unit(unit: Unit) -> None:
    """Take a service's file away.

    Raises:
        DaemonError: there is none, or it cannot be removed.
    """
    try:
        unit.path.unlink()
    except FileNotFoundError:
        raise DaemonError(f"{unit.path} is not there", hint="no service is installed") from None
    except OSError as error:
        raise _unwritable(unit, error) from None


def _unwritable(unit: Unit, error: OSError) -> DaemonError:
    return DaemonError(
        f"{error.filename or unit.path}: {error.strerror or error}",
        hint="free disk space or fix the folder's permissions; "
        "`spadework daemon install --print` shows the file",
    )


def kept_environment(names: Iterable[str]) -> dict[str, str]:
    """What is set of these variables, with paths made absolute; a service starts elsewhere."""
    return {
        name: str(Path(value).expanduser().absolute())
        for name in names
        if (value := os.environ.get(name))
    }


def user_units() -> Path:
    """The folder of the user's own units for systemd."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "systemd" / "user"


def environment_lines(environment: Mapping[str, str]) -> str:
    """A unit's lines that set these variables."""
    return "".join(
        f"Environment={quoted(f'{name}={value}')}\n" for name, value in environment.items()
    )


def command_line(words: Iterable[str]) -> str:
    """A command as a unit's `ExecStart=` has it, where a dollar sign too would be read."""
    return " ".join(quoted(word).replace("$", "$$") for word in words)


def _systemd(command: list[str], environment: dict[str, str]) -> Unit:
    path = user_units() / "spadework.service"
    return Unit(
        path=path,
        text=_SYSTEMD.format(
            command=command_line(command), environment=environment_lines(environment)
        ),
        start=f"systemctl --user daemon-reload && systemctl --user enable --now {path.name}",
        stop=f"systemctl --user disable --now {path.name}",
    )


def quoted(word: str) -> str:
    """Quote for systemd, to which a per cent sign is the beginning of a name of its own."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    needs_quotes = not escaped or set(escaped) & set(" \t'\"\\;")
    return f'"{escaped}"' if needs_quotes else escaped


def _launchd(command: list[str], environment: dict[str, str]) -> Unit:
    path = Path.home() / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    content = {
        "Label": _LABEL,
        "ProgramArguments": command,
        "EnvironmentVariables": environment,
        "RunAtLoad": True,
        "KeepAlive": {"Crashed": True},
    }
    quoted = shlex.quote(str(path))
    return Unit(
        path=path,
        text=plistlib.dumps(content).decode(),
        start=f"launchctl bootstrap gui/$(id -u) {quoted}",
        stop=f"launchctl bootout gui/$(id -u) {quoted}",
    )
