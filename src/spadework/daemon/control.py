"""Starts, queries and stops the daemon for `spadework daemon`, without asyncio."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.daemon.instance_lock import holder
from spadework.errors import ConfigError, DaemonError
from spadework.shim.client import DaemonConnection, DaemonUnavailable, connect_to_daemon
from spadework.shim.launcher import connect_or_start
from spadework.shim.rendezvous import CALL, Endpoint, NoEndpoint, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

_EXIT_USAGE = 2
_SECONDS_TO_GREET = 2.0
_SECONDS_TO_ANSWER = 10.0
_SECONDS_TO_END = 20.0
_SECONDS_TO_BE_KILLED = 5.0
_SECONDS_BETWEEN_LOOKS = 0.02


def place_here() -> Endpoint:
    """Return where the daemon of this user, config and data folder is met.

    Raises:
        DaemonError: the folder for it is missing or unusable.
    """
    try:
        return endpoint()
    except NoEndpoint as failure:
        raise DaemonError(
            f"no daemon can be reached: {failure}",
            hint=failure.hint,
        ) from None


def ensure_running() -> tuple[int, bool]:
    """Start a daemon if none runs.

    Returns:
        Its process id, and whether it was started now.

    Raises:
        DaemonError: it cannot be started, or what runs does not answer.
        ConfigError: the config is wrong.
    """
    place = place_here()
    if met := _greeted(lambda: connect_to_daemon(place, CALL)):
        met.socket.close()
        return met.pid, False
    met = _greeted(lambda: connect_or_start(place, CALL))
    if met is None:  # for the type checker: `connect_or_start` finds one or raises
        raise DaemonError("the daemon did not start")
    met.socket.close()
    return met.pid, True


def describe() -> dict[str, Any] | None:
    """Ask the daemon what it is; None where none runs.

    Raises:
        DaemonError: it does not answer.
    """
    place = place_here()
    met = _greeted(lambda: connect_to_daemon(place, CALL))
    return None if met is None else _asked(met, {"call": "describe"})


def stop() -> int | None:
    """End the daemon, and wait until it is gone; one that does not answer is killed.

    Returns:
        Its process id; None where none runs.

    Raises:
        DaemonError: it is still there.
    """
    place = place_here()
    try:
        met = _greeted(lambda: connect_to_daemon(place, CALL, deadline=_SECONDS_TO_GREET))
        if met is None:
            pid = holder(place)  # it is ending, or just starting
            if pid is None:
                return None
            _signal(pid, signal.SIGTERM)
        else:
            pid = met.pid
            _asked(met, {"call": "stop"})
    except DaemonError:
        pid = holder(place)
        if pid is None:
            raise
        _signal(pid, signal.SIGTERM)
        _signal(pid, signal.SIGCONT)
    if not _ended(pid, _SECONDS_TO_END):
        _signal(pid, signal.SIGKILL)
        if not _ended(pid, _SECONDS_TO_BE_KILLED):
            raise DaemonError(f"the daemon (process {pid}) does not end")
    return pid


def _greeted(greet: Callable[[], DaemonConnection | None]) -> DaemonConnection | None:
    try:
        return greet()
    except DaemonUnavailable as failure:
        kind = ConfigError if failure.exit_code == _EXIT_USAGE else DaemonError
        raise kind(str(failure), hint=failure.hint) from None


def _asked(met: DaemonConnection, request: dict[str, Any]) -> dict[str, Any]:
    """Make one call, and return its result."""
    with met.socket as connection:
        connection.settimeout(_SECONDS_TO_ANSWER)
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                told = json.loads(met.rest + lines.readline())
        except (OSError, ValueError) as error:
            raise DaemonError(
                f"the daemon (process {met.pid}) does not answer: {error}",
                hint="`spadework daemon stop` ends it",
            ) from None
    match told:
        case {"result": dict(result)}:
            return result
        case {"error": {"message": str(message)}}:
            raise DaemonError(message)
    raise DaemonError("the daemon's answer is not understood")


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ended(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not _is_gone(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return True


def _is_gone(pid: int) -> bool:
    """Whether it has ended, also where nobody has taken note of that yet."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except ProcessLookupError:
        return True
    except OSError:  # no /proc on this system
        return False
    return status.rpartition(")")[2].split()[0] == "Z"
