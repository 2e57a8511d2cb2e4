"""Drives one run from its items to its results; the same id resumes the same run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from spadework.errors import PipelineError, RunsUnavailable
from spadework.pipelines.claude_api.budget import Budget
from spadework.pipelines.durable.dbos_engine import forget_queue
from spadework.pipelines.durable.worker_process import is_dead, working
from spadework.pipelines.items import RunProgress
from spadework.pipelines.result_file import Results
from spadework.pipelines.store.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spadework.config.models import Config
    from spadework.pipelines.durable.worker_process import WorkerProcess
    from spadework.pipelines.items import Item
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Counts, Run

_LOOK_SECONDS = 0.2
_STILL_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class _Watch:
    """What the process that drives a run has observed so far."""

    run: Run
    results: Results
    started: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)
    moved: float = field(default_factory=time.monotonic)
    done: int = 0
    done_before: int = 0
    per_model: Counter[str] = field(default_factory=Counter)


async def drive(
    config: Config,
    database: Database,
    run: Run,
    items: Sequence[Item] | None,
    hear: Callable[[RunProgress], None],
    *,
    retry_failed: bool = False,
) -> Run:
    """Do a run, or go on with it; results are written as they come.

    Args:
        config: the user's config.
        database: where runs are kept; it is closed at the end.
        run: the run to start or resume.
        items: its items, if it is new; None: it is resumed.
        hear: called with the progress several times a second.
        retry_failed: items that failed are done again, and their rows are replaced.

    Returns:
        The run as it ended: done, failed, cancelled, or stopped at its budget.

    Raises:
        ArgumentError: the file of results holds something else.
        PipelineError: the database cannot be used, or another process is about this run.
    """
    if (
        items is None
        and not retry_failed
        and (known := await asyncio.to_thread(_done, database, run))
    ):
        return await asyncio.to_thread(_write_again, database, known, hear)
    results = _results_of(run)
    written = await asyncio.to_thread(results.open, without_failed=retry_failed)
    try:
        concurrency = run.options.concurrency
        async with working(config, database, run.id, concurrency=concurrency) as here:
            attempt = await asyncio.to_thread(_begin, here, run, items)
            if retry_failed:
                await asyncio.to_thread(_forget_failed, here, run.id)
            watch = _Watch(replace(run, attempt=attempt), results)
            await asyncio.to_thread(_compare, here, run.id, written)
            await here.stage.put_in_queues(watch.run, here.items_queue)
            ended = await _watch(here, watch, hear)
            if not database.is_shared and ended.state == "done":
                await forget_queue(here.items_queue)
            return ended
    except SQLAlchemyError as error:
        raise database.unusable(error) from error
    finally:
        results.close()


def _results_of(run: Run) -> Results:
    out = Path(run.options.out) if run.options.out else None
    return Results(out, ordered=run.options.ordered, run=run.id)


def _forget_failed(here: WorkerProcess, run: str) -> None:
    """Have the items done again that failed; their rows are out of the file already."""
    count = here.runs.forget_failed(run)
    here.runs.tell(run, f"{count} failed items are done again")


def _done(database: Database, run: Run) -> Run | None:
    """The run as it is kept, if it is done; with what was said of its results now."""
    known = Runs(database).find(run.id)
    return replace(known, options=run.options) if known.state == "done" else None


def _write_again(database: Database, run: Run, hear: Callable[[RunProgress], None]) -> Run:
    """Write the results of a run that is done; nothing is asked."""
    runs = Runs(database)
    results = _results_of(run)
    results.open()
    try:
        for row in runs.rows(run.id):
            results.write(row)
        if run.value is not None:
            results.finish(run.value, private=runs.became_private(run.id, 0))
    finally:
        results.close()
    spent = Budget(database.engine).spent(run.id).spent_usd
    hear(_standing_of(run, runs.counts(run.id), spent))
    database.close()
    return run


def _begin(here: WorkerProcess, run: Run, items: Sequence[Item] | None) -> int:
    """Make the run, or set it going again; returns the number of the attempt."""
    for one in here.workers.all():
        if one.run == run.id and one.executor != here.worker.executor and not is_dead(one):
            raise PipelineError(
                f"process {one.pid} on {one.host} is about the run {run.id}",
                hint=f"`spadework pipeline show {run.id}` tells how far it is",
            )
    if items is not None and here.runs.create(run, items):
        here.runs.tell(run.id, f"begun with {len(items)} items by {here.worker.executor}")
        return 0
    attempt = here.runs.resume(run.id, run.options)
    here.runs.tell(run.id, f"resumed by {here.worker.executor}")
    return attempt


def _compare(here: WorkerProcess, run: str, written: set[int]) -> None:
    """Take the file's word for what is written: the process may have died before it said so."""
    here.runs.forget_written(run)
    if written:
        here.runs.mark_written(run, sorted(written))


async def _watch(here: WorkerProcess, watch: _Watch, hear: Callable[[RunProgress], None]) -> Run:
    """Write the results as they come until the run is over."""
    watch.done_before = (await asyncio.to_thread(here.runs.counts, watch.run.id)).done
    while True:
        try:
            run = await asyncio.to_thread(here.runs.find, watch.run.id)
            await asyncio.to_thread(_collect, here, watch)
            standing = await asyncio.to_thread(_standing, here, watch)
            if run.state == "running":
                await _requeue_lost(here, watch, standing)
        except (RunsUnavailable, SQLAlchemyError):
            if time.monotonic() - watch.seen > _PATIENCE_SECONDS:
                raise
        else:
            watch.seen = time.monotonic()
            hear(standing)
            # At the budget what is under way is paid for: it comes to its end, but for batches,
            # which take hours; those are waited for when the run is resumed.
            if run.state == "cancelled" or (run.state != "running" and run.options.batch):
                here.stage.cancel(run.id)
            if run.state != "running" and run.id not in here.stage.active:
                await asyncio.to_thread(_finish, here, watch, run)
                hear(await asyncio.to_thread(_standing, here, watch))
                return run
        await asyncio.sleep(_LOOK_SECONDS)


async def _requeue_lost(here: WorkerProcess, watch: _Watch, standing: RunProgress) -> None:
    """If nothing finished for a while, queue lost items again.

    Items are lost if the database becomes unavailable in the middle of one.
    """
    if standing.done != watch.done:
        watch.done, watch.moved = standing.done, time.monotonic()
    if time.monotonic() - watch.moved < _STILL_SECONDS:
        return
    watch.moved = time.monotonic()
    following = replace(watch.run, attempt=watch.run.attempt + 1)
    if await here.stage.put_in_queues(following, here.items_queue):
        watch.run = following
        await asyncio.to_thread(here.runs.note_attempt, following.id, following.attempt)


def _finish(here: WorkerProcess, watch: _Watch, run: Run) -> None:
    _collect(here, watch)
    if run.value is not None:
        watch.results.finish(run.value, private=here.runs.became_private(run.id, 0))


def _collect(here: WorkerProcess, watch: _Watch) -> None:
    while rows := here.runs.unwritten(watch.run.id):
        for row in rows:
            watch.results.write(row)
            watch.per_model.update(row.models)
        here.runs.mark_written(watch.run.id, [row.number for row in rows])


def _standing(here: WorkerProcess, watch: _Watch) -> RunProgress:
    run = watch.run
    counts = here.runs.counts(run.id)
    seconds = time.monotonic() - watch.started
    fresh = counts.done - watch.done_before
    left = seconds / fresh * (run.items - counts.done) if fresh else None
    now = _standing_of(run, counts, here.stage.spent_usd(run.id))
    return replace(
        now,
        per_model=dict(watch.per_model),
        seconds=seconds,
        seconds_left=left,
        away=here.stage.away_from(run.id),
    )


def _standing_of(run: Run, counts: Counts, spent_usd: float) -> RunProgress:
    """How far a run is, as it is kept; its pace is seen by its own process alone."""
    return RunProgress(
        **asdict(counts),
        of=run.items,
        spent_usd=spent_usd,
        budget_usd=run.options.budget_usd,
        per_model={},
        seconds=0.0,
        seconds_left=None,
    )
