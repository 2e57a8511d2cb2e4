"""One run from its items to its results; the same id is the same run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from journeyman.errors import PipelineError
from journeyman.pipelines.durable.engine import forget_queue, under_way
from journeyman.pipelines.durable.workflows import enqueue_item
from journeyman.pipelines.durable.working import is_dead, working
from journeyman.pipelines.results import Results
from journeyman.pipelines.values import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from journeyman.config.models import Config
    from journeyman.pipelines.durable.working import Working
    from journeyman.pipelines.store.database import Database
    from journeyman.pipelines.store.values import Run
    from journeyman.pipelines.values import Item

_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class _Watch:
    """What a run's own process has seen of it."""

    run: Run
    results: Results
    started: float = field(default_factory=time.monotonic)
    done_before: int = 0
    per_model: Counter[str] = field(default_factory=Counter)


async def drive(
    config: Config,
    database: Database,
    run: Run,
    items: Sequence[Item] | None,
    hear: Callable[[Standing], None],
) -> Run:
    """Do a run, or go on with it; results are written as they come.

    Args:
        config: the user's config.
        database: where runs are kept; it is closed at the end.
        run: the run as it shall be.
        items: its items, if it is new; None: it is resumed.
        hear: is told how far it is, several times a second.

    Returns:
        The run as it ended: done, failed, cancelled, or stopped at its budget.

    Raises:
        ArgumentError: the file of results holds something else.
        PipelineError: the database cannot be used, or another process is about this run.
    """
    out = Path(run.options.out) if run.options.out else None
    results = Results(out, ordered=run.options.ordered, run=run.id)
    written = await asyncio.to_thread(results.open)
    try:
        concurrency = run.options.concurrency
        async with working(config, database, run.id, concurrency=concurrency) as here:
            attempt = await asyncio.to_thread(_begin, here, run, items)
            watch = _Watch(replace(run, attempt=attempt), results)
            await asyncio.to_thread(_compare, here, run.id, written)
            await _enqueue(here, watch.run)
            ended = await _watch(here, watch, hear)
            if not database.is_shared and ended.state == "done":
                await forget_queue(here.items_queue)
            return ended
    finally:
        results.close()


def _begin(here: Working, run: Run, items: Sequence[Item] | None) -> int:
    """Make the run, or set it going again; returns the number of the attempt."""
    for one in here.workers.all():
        if one.run == run.id and one.executor != here.worker.executor and not is_dead(one):
            raise PipelineError(
                f"process {one.pid} on {one.host} is about the run {run.id}",
                hint=f"`journeyman pipeline show {run.id}` tells how far it is",
            )
    if items is not None and here.runs.create(run, items):
        here.runs.tell(run.id, f"begun with {len(items)} items by {here.worker.executor}")
        return 0
    attempt = here.runs.resume(run.id, run.options)
    here.runs.tell(run.id, f"resumed by {here.worker.executor}")
    return attempt


def _compare(here: Working, run: str, written: set[int]) -> None:
    """Take the file's word for what is written: the process may have died before it said so."""
    here.runs.forget_written(run)
    if written:
        here.runs.mark_written(run, sorted(written))


async def _enqueue(here: Working, run: Run) -> None:
    """Put every item without a row into the queue that is not there already."""
    waiting = await asyncio.to_thread(here.runs.waiting, run.id)
    if not waiting:
        await here.stage.all_done(run)
        return
    there = {int(one.split(":")[1]) for one in await under_way(run.id)}
    for number in waiting:
        if number not in there:
            await enqueue_item(here.items_queue, run.id, number, run.attempt)


async def _watch(here: Working, watch: _Watch, hear: Callable[[Standing], None]) -> Run:
    """Write the results as they come until the run is over."""
    watch.done_before = (await asyncio.to_thread(here.runs.counts, watch.run.id)).done
    while True:
        run = await asyncio.to_thread(here.runs.find, watch.run.id)
        await asyncio.to_thread(_collect, here, watch)
        hear(await asyncio.to_thread(_standing, here, watch))
        if run.state != "running":
            here.stage.cancel(run.id)
            if run.value is not None:
                await asyncio.to_thread(watch.results.finish, run.value)
            return run
        await asyncio.sleep(_LOOK_SECONDS)


def _collect(here: Working, watch: _Watch) -> None:
    while rows := here.runs.unwritten(watch.run.id):
        for row in rows:
            watch.results.write(row)
            watch.per_model.update(row.models)
        here.runs.mark_written(watch.run.id, [row.number for row in rows])


def _standing(here: Working, watch: _Watch) -> Standing:
    run = watch.run
    counts = here.runs.counts(run.id)
    seconds = time.monotonic() - watch.started
    fresh = counts.done - watch.done_before
    left = seconds / fresh * (run.items - counts.done) if fresh else None
    return Standing(
        done=counts.done,
        of=run.items,
        failed=counts.failed,
        repeated=counts.repeated,
        spent_usd=here.stage.spent_usd(run.id),
        budget_usd=run.options.budget_usd,
        per_model=dict(watch.per_model),
        seconds=seconds,
        seconds_left=left,
    )
