"""The durable workflows: an item, one call of it, and the end of a run.

A workflow's id says what it is, and the same id is done once: `RUN:NUMBER:ATTEMPT` is an item,
`RUN:NUMBER:DIGEST-COUNT` a call of one, `RUN:end:ATTEMPT` the end. An item has no steps of its
own: when it is done again, each of its calls finds its answer by its id and content. At least once
is what that promises: a call that was under way when its process died is made again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable

ITEM, CALL, END = "spadework.item", "spadework.call", "spadework.end"
FREE = "free"
"""The queue of what needs no slot: steps, the end of a run, requests that wait in a batch."""
CLAUDE = "claude"

_POLL_SECONDS = 0.2
_POLL_FREE_SECONDS = 5.0
_POLL_OWN_SECONDS = 60.0
_NO_LIMIT = 2**31


class WorkflowHandlers(Protocol):
    """Implements the workflows; see `item_runner.ItemRunner`."""

    def do_item(self, run: str, number: int) -> Awaitable[None]:
        """Do an item, unless it has its row."""

    def do_call(self, call: str, run: str, number: int, request: str) -> Awaitable[str]:
        """Make one call; request and result are JSON."""

    def do_end(self, run: str) -> Awaitable[None]:
        """Call the pipeline's `finish`."""


@dataclass(slots=True)
class _Here:
    """The handlers of this process; DBOS has one registry for each process."""

    work: WorkflowHandlers | None = None
    results: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    alone: bool = False


_here = _Here()


def serve(work: WorkflowHandlers | None, *, alone: bool = False) -> None:
    """Say who does the work of this process.

    Args:
        work: does it; None: nobody any more.
        alone: no other process takes calls, so nobody need look whether one did.
    """
    _here.work = work
    _here.results = {}
    _here.alone = alone


def _work() -> WorkflowHandlers:
    if _here.work is None:
        raise RuntimeError("no stage is set")
    return _here.work


@DBOS.workflow(name=ITEM, max_recovery_attempts=_NO_LIMIT)
async def _item(run: str, number: int) -> None:
    await _work().do_item(run, number)


@DBOS.workflow(name=CALL, max_recovery_attempts=_NO_LIMIT)
async def _call(run: str, number: int, request: str) -> str:
    call = DBOS.workflow_id or ""
    try:
        result = await _work().do_call(call, run, number, request)
    except Exception as error:
        waiting = _here.results.get(call)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
        raise
    _tell(call, result)
    return result


def _tell(call: str, result: str) -> None:
    """Pass the result of a call to the coroutine that waits for it here.

    If nobody waits yet, since a process before had it made, it is kept for who will: DBOS writes
    it down a moment later, and who looks in between would next look in a minute.
    """
    if _here.alone:
        _here.results.setdefault(call, asyncio.get_running_loop().create_future())
    waiting = _here.results.get(call)
    if waiting is not None and not waiting.done():
        waiting.set_result(result)


@DBOS.workflow(name=END, max_recovery_attempts=_NO_LIMIT)
async def _end(run: str) -> None:
    await _work().do_end(run)


def backend_queue(backend: str) -> str:
    """The queue of a backend's calls: its limit holds over all workers."""
    return f"backend:{backend}"


async def enqueue_item(queue: str, run: str, number: int, attempt: int) -> None:
    """Queue an item for any worker of this queue; once for each attempt."""
    with SetWorkflowID(f"{run}:{number}:{attempt}"):
        await DBOS.enqueue_workflow_async(queue, _item, run, number)


async def enqueue_end(run: str, attempt: int) -> None:
    """Have the end of a run done, once for each attempt."""
    with SetWorkflowID(f"{run}:end:{attempt}"):
        await DBOS.enqueue_workflow_async(FREE, _end, run)


async def result_of_call(queue: str, call: str, run: str, number: int, request: str) -> str:
    """Have a call made and wait for its result; one that was made before is not made again."""
    results = _here.results
    future = results.setdefault(call, asyncio.get_running_loop().create_future())
    try:
        with SetWorkflowID(call):
            handle = await DBOS.enqueue_workflow_async(queue, _call, run, number, request)
        polled = asyncio.ensure_future(handle.get_result(polling_interval_sec=_poll(queue)))
        try:
            await asyncio.wait({future, polled}, return_when=asyncio.FIRST_COMPLETED)
            return future.result() if future.done() else polled.result()
        except dbos_errors.DBOSAwaitedWorkflowCancelledError:
            await DBOS.resume_workflows_async([call], queue_name=queue)
            return str(await DBOS.get_result_async(call))
        finally:
            polled.cancel()
    finally:
        results.pop(call, None)


def _poll(queue: str) -> float:
    """How often to look whether another process has made a call; ours tell at once."""
    if _here.alone:
        return _POLL_OWN_SECONDS
    return _POLL_FREE_SECONDS if queue == FREE else _POLL_SECONDS


async def was_made(call: str) -> bool:
    """Whether a call has a result, so that nothing is sent if it is asked for."""
    status = await DBOS.get_workflow_status_async(call)
    return status is not None and status.status == "SUCCESS"


async def make_again(queue: str, call: str) -> None:
    """Forget how a call ended, so that the next one who asks has it made again."""
    await DBOS.rewind_workflow_async(call, start_step=1, queue_name=queue)
