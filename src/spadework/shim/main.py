"""The main function of the shim. What it imports keeps no file open: see `_guard_streams`."""

from __future__ import annotations

import os
import select
import signal
import sys

from spadework.shim.client import DaemonUnavailable
from spadework.shim.launcher import connect_or_start
from spadework.shim.relay import Relay
from spadework.shim.rendezvous import MCP, NoEndpoint, endpoint, say

TYPE_CHECKING = False  # importing `typing` for it would take longer than the rest

if TYPE_CHECKING:
    from typing import NoReturn

_EXIT_FAILED = 1


def main() -> None:
    """Relay standard input and output to the daemon until the client leaves."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # there is nothing here to tidy up
    _guard_streams()
    if not hasattr(select, "poll"):
        _serve_here("this system cannot wait for pipes and sockets at once")
    try:
        place = endpoint()
        Relay(lambda: connect_or_start(place, MCP)).run()
    except NoEndpoint as failure:
        _serve_here(str(failure))
    except DaemonUnavailable as failure:
        if failure.cannot_start:
            _serve_here(str(failure))
        hint = f"\nhint: {failure.hint}" if failure.hint else ""
        say(f"error: {failure}{hint}")
        sys.exit(failure.exit_code)


def _guard_streams() -> None:
    """See that no socket gets the number of a standard stream that the client has closed."""
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)  # the lowest free number: 0
    if sys.stdout is None:
        say("error: standard output is closed")
        sys.exit(_EXIT_FAILED)
    if sys.stderr is None:
        os.open(os.devnull, os.O_WRONLY)


def _serve_here(reason: str) -> NoReturn:
    """Do without a daemon: this process becomes the server."""
    say(f"spadework: no daemon ({reason}); this process does the work by itself")
    # -P: no module comes from the current folder.
    command = [sys.executable, "-P", "-m", "spadework", "mcp", "--in-process"]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, our own module
