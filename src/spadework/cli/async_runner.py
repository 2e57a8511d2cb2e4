"""Running what is asynchronous until it ends or a signal comes."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from spadework.cli.exit_codes import EXIT_TERMINATED

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")


def run(doing: Coroutine[Any, Any, Result], *, time_limit: float | None = None) -> Result:
    """Run to the end, or until SIGTERM: that cancels as Ctrl-C does, so the ledger has its row.

    Raises:
        TimeoutError: the seconds of the limit are over.
    """
    import asyncio

    async def until_terminated() -> Result:
        loop = asyncio.get_running_loop()
        task = loop.create_task(doing)
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(task.cancel))
        try:
            async with asyncio.timeout(time_limit):
                return await task
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    try:
        return asyncio.run(until_terminated())
    except asyncio.CancelledError:
        sys.stderr.write("stopped\n")
        raise typer.Exit(EXIT_TERMINATED) from None
