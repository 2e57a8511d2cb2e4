"""Starts the daemon: first it listens, then it does the slow imports."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from spadework.daemon.instance_lock import InstanceLock
from spadework.errors import ArgumentError, ConfigError, DaemonError, SpadeworkError
from spadework.shim.launcher import READY
from spadework.shim.rendezvous import NoEndpoint, endpoint

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    import socket

_SECONDS_FOR_THE_LAST_ONE = 5.0
_SECONDS_TO_TURN_AWAY = 1.0
_EXIT_FAILED, _EXIT_USAGE = 1, 2
_MOST_FILES = 10_240
"""As many as macOS gives a process."""


def run(*, background: bool = False, stay: bool = False) -> None:
    """Run the daemon until it receives a stop request or has been idle for long.

    Args:
        background: leave the process that started us, and its terminal; say `ready` on standard
            output once connections are accepted.
        stay: do not stop when idle.

    Raises:
        DaemonError: another one runs, or this one cannot listen.
        ConfigError: the config is wrong; those who have connected are told the same.
    """
    if background:
        _leave_starter()
    _allow_many_files()
    try:
        place = endpoint()
    except NoEndpoint as failure:
        raise DaemonError(str(failure), hint=failure.hint) from None
    instance_lock = InstanceLock(place, _SECONDS_FOR_THE_LAST_ONE if background else 0.0)
    try:
        if background:
            _say_ready()
        _serve(instance_lock, background=background, stay=stay)
    except SpadeworkError as error:
        _turn_away(instance_lock.socket, error)
        raise
    finally:
        instance_lock.release()


def _serve(instance_lock: InstanceLock, *, background: bool, stay: bool) -> None:
    from spadework.daemon.log_file import start_log  # noqa: PLC0415 - we are expected to listen first

    gc.disable()  # looking for garbage among what is being imported takes a tenth of the start
    log = start_log(to_screen=not background)
    from spadework.daemon.process import serve  # noqa: PLC0415 - heavy

    serve(instance_lock, log=log, stay=stay)


def _leave_starter() -> None:
    """Become nobody's child, so that no window has to wait for our end."""
    if hasattr(os, "fork") and os.fork():
        os._exit(0)


def _allow_many_files() -> None:
    """Raise the limit of open files, of which each window is one; macOS begins with 256."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # then there are fewer
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _say_ready() -> None:
    """Notify the starter, and close its pipe."""
    os.write(1, READY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _turn_away(listening: socket.socket, error: SpadeworkError) -> None:
    """Tell all who have connected already why there will be no daemon."""
    from spadework.daemon.handshake import refusal  # noqa: PLC0415 - rare

    code = _EXIT_USAGE if isinstance(error, ConfigError | ArgumentError) else _EXIT_FAILED
    line = refusal(str(error), error.hint, code)
    try:
        listening.setblocking(False)  # later clients start over
        while True:
            peer, _ = listening.accept()
            with peer:
                peer.settimeout(_SECONDS_TO_TURN_AWAY)
                try:
                    peer.recv(65536)  # unread, it would take our line away with the connection
                    peer.sendall(line)
                except OSError:
                    continue
    except OSError:  # nobody else waits
        return
