"""A worker process: sends heartbeats, and takes over the items of dead workers."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.backends.registry import open_backends
from spadework.config.models import EMBEDDED
from spadework.engine.discovered_capacity import Capacities
from spadework.errors import BackendError, PipelineError
from spadework.pipelines.durable.dbos_engine import (
    here_mark,
    is_busy,
    items_queue,
    launch,
    new_worker,
    reassign,
    stop,
)
from spadework.pipelines.durable.item_runner import ItemRunner
from spadework.pipelines.durable.run_services import ClaudeAccess
from spadework.pipelines.store.runs import Runs
from spadework.pipelines.store.worker_table import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from spadework.config.models import Config
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Worker

log = logging.getLogger(__name__)

BEAT_SECONDS = 4.0
SILENT_SECONDS = 16.0
"""A worker that gave no sign of life for so long is taken for dead: its items go on elsewhere."""
_PUTTING_SECONDS = 300.0
_ASKING_SECONDS = 5.0
_LOOK_SECONDS = 1.0


class WorkerProcess:
    """A process that executes runs.

    Args:
        database: where the runs are kept.
        runs: the runs.
        stage: what it works with.
        worker: its name.
    """

    def __init__(self, database: Database, runs: Runs, stage: ItemRunner, worker: Worker) -> None:
        self.database = database
        self.runs = runs
        self.stage = stage
        self.worker = worker
        self.workers = Workers(database)
        self._loop = asyncio.get_running_loop()

    @property
    def items_queue(self) -> str:
        """The queue of items that this process takes from."""
        return items_queue(self.database, self.worker.run)

    def beat(self, over: threading.Event) -> None:
        """Give signs of life and look for the dead, until it is over.

        In a thread of its own: a pipeline's function that blocks the event loop is not dead.
        """
        while not over.wait(BEAT_SECONDS):
            try:
                self.workers.beat(self.worker)
                self.take_over()
            except PipelineError as error:  # the database may come back
                log.warning("%s", error)
            except Exception:  # a sign of life must be given again, whatever DBOS says
                log.exception("looking for dead workers failed")

    def take_over(self) -> None:
        """Reassign the items of dead processes to live ones."""
        for one in self.workers.all():
            if one.executor != self.worker.executor and is_dead(one):
                # Handed on before it is struck off: if we die between, the next does it again.
                reassign(one.executor, self.runs, self.workers)
                if one.run and self.database.is_shared:
                    self._complete(one.run)
                self.workers.strike(one.executor)

    def _complete(self, run: str) -> None:
        """Put into the queues what the run's own process had not put there when it died."""
        if not self.runs.exists(run):
            return
        found = self.runs.find(run)
        if found.state == "running":
            following = replace(found, attempt=found.attempt + 1)
            putting = self.stage.put_in_queues(following, self.items_queue)
            if asyncio.run_coroutine_threadsafe(putting, self._loop).result(_PUTTING_SECONDS):
                self.runs.note_attempt(run, following.attempt)

    def leave(self) -> None:
        """Deregister this process; live processes take over its unfinished items."""
        if is_busy(self.worker.executor):
            self.workers.give_up(self.worker.executor)
        else:
            self.workers.strike(self.worker.executor)


def is_dead(worker: Worker) -> bool:
    """Whether a worker is taken for dead: silent for too long, or gone from this machine."""
    is_here = worker.executor.rpartition("-")[2].startswith(here_mark())
    gone = is_here and not _lives(worker.pid)
    return gone or worker.silent > SILENT_SECONDS


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether the process is a zombie: ended, not yet reaped. Known on Linux only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2][1] == "Z"
    except (OSError, IndexError):
        return False


async def _slots_of_backends(config: Config) -> dict[str, int]:
    """Find out each backend's slots: the config's word, else the server's own, else the kind's.

    Raises:
        ConfigError: a key's file cannot be read.
    """
    backends = open_backends(config, os.environ)
    capacities = Capacities(config, backends)

    async def ask(name: str) -> None:
        with suppress(BackendError, TimeoutError):
            async with asyncio.timeout(_ASKING_SECONDS):
                await capacities.ask(name)

    try:
        await asyncio.gather(*(ask(name) for name in config.backends))
        found = {name: capacities.of(name) for name in (*config.backends, EMBEDDED)}
    finally:
        for backend in backends.values():
            await backend.close()
    return {
        name: one.slots if one.exclusive else one.per_model or one.slots
        for name, one in found.items()
    }


@asynccontextmanager
async def working(
    config: Config, database: Database, run: str, *, concurrency: int
) -> AsyncIterator[WorkerProcess]:
    """Work on what is in the queues for as long as the context lasts.

    Args:
        config: the user's config.
        database: where the runs are kept; its tables are there.
        run: the run that this process was started for; empty for a worker of all.
        concurrency: how many items a process works on at the same time.

    Raises:
        PipelineError: the database cannot be used.
    """
    runs = Runs(database)
    claude = ClaudeAccess(config, database)
    stage = ItemRunner(config, runs, claude)
    here = WorkerProcess(database, runs, stage, new_worker(run))
    await asyncio.to_thread(here.workers.beat, here.worker)
    over = threading.Event()
    beating: threading.Thread | None = None
    try:
        await launch(
            database,
            stage,
            here.worker,
            items=here.items_queue,
            concurrency=concurrency,
            backends=await _slots_of_backends(config),
            claude_at_once=config.claude_api.at_once if claude.is_open else 0,
        )
        beating = threading.Thread(target=here.beat, args=(over,), daemon=True)
        beating.start()
        await asyncio.to_thread(here.take_over)
        yield here
    finally:
        over.set()
        await _end(here, launched=beating is not None)


async def _end(here: WorkerProcess, *, launched: bool) -> None:
    try:
        if launched:
            await asyncio.to_thread(here.leave)
        else:
            await asyncio.to_thread(here.workers.strike, here.worker.executor)
    except PipelineError as error:
        log.warning("%s", error)
    finally:
        here.stage.cancel_all()
        if launched:
            await asyncio.to_thread(stop)
            # DBOS took its threads along, and they were the loop's.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await here.stage.close()
        here.database.close()


async def work(
    config: Config, database: Database, *, concurrency: int, hear: Callable[[str], None]
) -> None:
    """Work until cancelled.

    Args:
        config: the user's config.
        database: where the runs are kept.
        concurrency: how many items are worked on at the same time.
        hear: called with the worker's name once it is running.

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
