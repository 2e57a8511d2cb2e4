"""A worker: works on every run of a Postgres until it is told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from spadework.pipelines.durable.worker_process import working

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.config.models import Config
    from spadework.pipelines.store.database import Database

_LOOK_SECONDS = 1.0


async def work(
    config: Config, database: Database, *, concurrency: int, hear: Callable[[str], None]
) -> None:
    """Work until cancelled.

    Args:
        config: the user's config.
        database: where the runs are kept.
        concurrency: how many items are worked on at the same time.
        hear: is told what the worker is called once it works.

    Raises:
        PipelineError: the database cannot be used.
    """
    async with working(config, database, "", concurrency=concurrency) as here:
        hear(here.worker.executor)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for run in here.stage.active:
                if await asyncio.to_thread(here.runs.state, run) != "running":
                    here.stage.cancel(run)
