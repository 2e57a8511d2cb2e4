"""Progress to a client: at most two messages a second, rising, and none once the result is out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from spadework.engine.job import Progress

_SECONDS_BETWEEN = 0.5


class Report(Protocol):
    """Sends one progress message; the number only rises."""

    async def __call__(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Send it."""
        ...


@asynccontextmanager
async def reporting(report: Report) -> AsyncIterator[Callable[[Progress], None]]:
    """Give a function that notes the newest progress; a task sends it on."""
    news = asyncio.Event()
    newest: list[Progress] = []

    def note(progress: Progress) -> None:
        newest[:] = [progress]
        news.set()

    async def forward() -> None:
        step = 0.0
        while True:
            await news.wait()
            news.clear()
            progress = newest[0]
            if progress.of:
                step = max(step, float(progress.done))
                await report(step, float(progress.of), progress.message)
            else:
                step = max(step + 1, float(progress.tokens))
                await report(step, message=progress.message)
            await asyncio.sleep(_SECONDS_BETWEEN)

    task = asyncio.create_task(forward())
    try:
        yield note
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
