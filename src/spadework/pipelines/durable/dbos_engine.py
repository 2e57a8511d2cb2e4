"""Sets up DBOS in this process: its database, its queues, and recovery of unfinished work."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from spadework.errors import PipelineError
from spadework.pipelines.durable.workflows import (
    CALL,
    CLAUDE,
    END,
    FREE,
    ITEM,
    backend_queue,
    serve,
)
from spadework.pipelines.store.records import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.pipelines.durable.workflows import WorkflowHandlers
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.runs import Runs
    from spadework.pipelines.store.worker_table import Workers

SHARED = "shared"
_NAME = "spadework"
_POLL_SECONDS = 0.1
_UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]
_CONNECTIONS = 16


def new_worker(run: str) -> Worker:
    """Name this process; no two have the same name, or items would be done twice."""
    host, pid = socket.gethostname(), os.getpid()
    return Worker(f"{host}-{pid}-{here_mark()}{uuid.uuid4().hex[:8]}", host, pid, run, 0.0)


@cache
def here_mark() -> str:
    """A few signs that tell where a process id means the same process: this machine as it runs.

    A host's name does not: machines have the same one, and so do containers in the host's network.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):  # only Linux tells more
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256("\n".join(parts).encode()).hexdigest()[:8]


def items_queue(database: Database, run: str) -> str:
    """The queue of a run's items: its own on SQLite, the workers' common one on Postgres."""
    return "items" if database.is_shared else f"items:{run}"


async def launch(
    database: Database,
    work: WorkflowHandlers,
    worker: Worker,
    *,
    items: str,
    concurrency: int,
    backends: Mapping[str, int],
    claude_at_once: int,
) -> None:
    """Start to process the queues; call it in the event loop that is to do the work.

    Args:
        database: where the runs are kept.
        work: does the work.
        worker: this process.
        items: the queue of items.
        concurrency: how many items a process works on at the same time.
        backends: how many calls each backend takes at once, over all workers.
        claude_at_once: the same for the Claude API; 0: this process cannot ask it.

    Raises:
        PipelineError: the database cannot be used.
    """
    serve(work, alone=not database.is_shared)
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    # On SQLite a process works for its own run alone: another may have other keys and models.
    version = SHARED if database.is_shared else f"run:{worker.run}"
    calls = {backend_queue(name): slots for name, slots in backends.items()}
    if claude_at_once:
        calls[CLAUDE] = claude_at_once
    # How many at once in one process, and in all.
    queues: dict[str, tuple[int | None, int | None]]
    queues = {items: (concurrency, None), FREE: (None, None)}
    queues |= {name: (None, slots) for name, slots in calls.items()}
    url = database.url.render_as_string(hide_password=False)
    config = DBOSConfig(
        name=_NAME,
        system_database_url=url,
        executor_id=worker.executor,
        application_version=version,
        log_level="CRITICAL",
        enable_otlp=False,
        serializer=DBOSPortableJSONSerializer(),
        sys_db_pool_size=_CONNECTIONS,
    )
    if not database.is_shared:  # by connections like ours, which wait less for the disk
        config["system_database_engine"] = database.lend()
    try:
        # Queues that are there before the launch are served at once, others a second later.
        await asyncio.to_thread(_register, database, url, queues)
        DBOS(config=config)
        DBOS.listen_queues(list(queues))
        DBOS.launch()
    except Exception as error:
        stop()
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PipelineError(f"the durable engine does not start: {why}") from error


def _register(
    database: Database, url: str, queues: Mapping[str, tuple[int | None, int | None]]
) -> None:
    DBOS.migrate(url)
    client = DBOSClient(
        system_database_url=url,
        system_database_engine=None if database.is_shared else database.lend(),
    )
    try:
        for name, (in_one, in_all) in queues.items():
            client.register_queue(
                name,
                worker_concurrency=in_one,
                global_concurrency=in_all,
                polling_interval_sec=_POLL_SECONDS,
                on_conflict="always_update",
                application_name=_NAME,
            )
    finally:
        client.destroy()


def stop() -> None:
    """Take nothing on any more; what is under way is cancelled."""
    serve(None)
    DBOS.destroy()


async def under_way(run: str) -> set[int]:
    """The numbers of a run's items that wait in a queue or are worked on; 0 for its end."""
    found = await DBOS.list_workflows_async(
        workflow_id_prefix=f"{run}:",
        name=[ITEM, END],
        status=_UNFINISHED,
        load_input=False,
        load_output=False,
    )
    # SQLite looks for a prefix without regard to case.
    mine = (one.workflow_id for one in found if one.workflow_id.startswith(f"{run}:"))
    return {_parts(one)[2] for one in mine}


async def forget_queue(name: str) -> None:
    """Remove the queue of a run that is over."""
    await DBOS.delete_queue_async(name)


def is_busy(executor: str) -> bool:
    """Whether a process has work under way."""
    found = DBOS.list_workflows(
        status="PENDING", executor_id=executor, limit=1, load_input=False, load_output=False
    )
    return bool(found)


def reassign(executor: str, runs: Runs, workers: Workers) -> None:
    """Have others do what a process that died was about.

    Args:
        executor: the process that died.
        runs: told what happened.
        workers: where the calls are noted that will be made again.
    """
    left = DBOS.list_workflows(
        status="PENDING", executor_id=executor, load_input=False, load_output=False
    )
    calls = [_parts(one.workflow_id) for one in left if one.name == CALL]
    workers.note_repeats(executor, calls)
    by_queue: dict[str, list[str]] = {}
    for one in left:
        by_queue.setdefault(one.queue_name or FREE, []).append(one.workflow_id)
    for queue, ids in by_queue.items():
        DBOS.resume_workflows(ids, queue_name=queue)
    for run in {_parts(one.workflow_id)[1] for one in left}:
        said = f"the process {executor} ended; {len(calls)} calls under way are made again"
        runs.tell(run, said)


def _parts(workflow: str) -> tuple[str, str, int]:
    """An item's or a call's id, its run and its item's number; 0 for the end."""
    run, number, *_ = workflow.split(":")
    return workflow, run, int(number) if number.isdecimal() else 0
