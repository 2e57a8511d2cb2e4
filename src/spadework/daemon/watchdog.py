"""Watchdog: a daemon whose event loop is blocked must still end on SIGTERM.

A signal's handler in Python runs only between two instructions of the main thread, and code in C
may never come back to it, nor let another thread run. What ends the process is therefore armed in
C: a timer of the kernel for a loop that does not turn, and a thread of `faulthandler` once the
process has been asked to end.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SECONDS_TO_END = 20.0
"""From SIGTERM to the end of the process, graceful or not."""
SECONDS_STUCK = 30.0
"""Processor time, of all threads together, that passes without one turn of the loop."""
_SECONDS_BETWEEN_TURNS = 1.0

_ENDING = (signal.SIGTERM, signal.SIGINT)


def end_on_signal(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` on the loop at SIGTERM or SIGINT, and end the process if that does not.

    The loop learns of a signal by its own pipe; the handler that Python calls sets the last term.
    """
    for number in _ENDING:
        loop.add_signal_handler(number, stop)
        signal.signal(number, _set_last_term)


def arm_forced_exit() -> None:
    """End the process after `SECONDS_TO_END`, whatever it does then."""
    faulthandler.dump_traceback_later(SECONDS_TO_END, exit=True, file=_log_stream())


def _set_last_term(_: int, __: FrameType | None) -> None:
    arm_forced_exit()


async def feed_watchdog() -> None:
    """Put the end off again and again; where this no longer runs, the kernel ends the process.

    Processor time is what counts, so a machine that sleeps or is short of time ends nothing.
    """
    if not hasattr(signal, "ITIMER_PROF"):
        return
    faulthandler.register(signal.SIGPROF, file=_log_stream(), all_threads=True, chain=True)
    try:
        while True:
            signal.setitimer(signal.ITIMER_PROF, SECONDS_STUCK)
            await asyncio.sleep(_SECONDS_BETWEEN_TURNS)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(signal.SIGPROF)


def _log_stream() -> TextIO:
    """Return where the log goes: what was running then is what has to be known."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            with suppress(OSError, ValueError):
                stream: TextIO = handler.stream
                stream.fileno()
                return stream
    return sys.stderr
