"""Long calls as tasks: the client gets a handle at once and asks for the result later.

The extension `io.modelcontextprotocol/tasks` (SEP-2663). Tasks live as long as this process; what
was answered in them is in the cache, so that the same call again asks only what is missing.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from spadework.errors import TooManyTasks
from spadework.util.untrusted_text import quote_foreign

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server import Server
    from mcp.server.context import ServerRequestContext

    Context = ServerRequestContext[Any, Any]
    Tell = Callable[[str], None]

log = logging.getLogger(__name__)

EXTENSION = "io.modelcontextprotocol/tasks"
POLL_MILLISECONDS = 1000
KEPT_SECONDS = 3600.0
"""How long the result of an ended task is kept."""

_MOST_KEPT = 100
"""Ended tasks of one owner, the newest; each holds its result in memory."""

Status = Literal["working", "completed", "failed", "cancelled"]


class TaskParams(RequestParams):
    """What `tasks/get`, `tasks/update` and `tasks/cancel` name."""

    task_id: str


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Task:
    """One call under way, or how it ended."""

    owner: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: Status = "working"
    message: str = ""
    created: datetime = field(default_factory=_now)
    updated: datetime = field(default_factory=_now)
    outcome: dict[str, Any] = field(default_factory=dict)
    working: asyncio.Task[None] | None = None

    def tell(self, message: str) -> None:
        """Note how far it is."""
        self.message, self.updated = message, _now()

    def end(self, status: Status, message: str, **outcome: Any) -> None:
        """Note how it ended."""
        self.status, self.outcome = status, outcome
        self.tell(message)

    def data(self) -> dict[str, Any]:
        """Describe it as the extension wants it."""
        told = {"statusMessage": self.message} if self.message else {}
        return {
            "taskId": self.id,
            "status": self.status,
            **told,
            "createdAt": _written(self.created),
            "lastUpdatedAt": _written(self.updated),
            "ttlMs": None if self.status == "working" else self._kept_until_milliseconds(),
            "pollIntervalMs": POLL_MILLISECONDS,
            **self.outcome,
        }

    def _kept_until_milliseconds(self) -> int:
        seconds = (self.updated - self.created).total_seconds() + KEPT_SECONDS
        return int(seconds * 1000)

    def is_stale(self, now: datetime) -> bool:
        """Tell whether its result has been kept long enough."""
        if self.status == "working":
            return False
        return (now - self.updated).total_seconds() > KEPT_SECONDS


def _written(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TaskStore:
    """The tasks of a process. Each belongs to the client that began it, and others never see it.

    An owner is whatever tells clients apart; the windows of this machine's user are one.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    @property
    def running(self) -> int:
        """How many are under way."""
        return sum(task.status == "working" for task in self._tasks.values())

    def start(
        self,
        work: Callable[[Tell], Awaitable[CallToolResult]],
        owner: str = "",
        most: int | None = None,
        conceal: Callable[[str], str] = str,
    ) -> Task:
        """Begin a call, and return at once.

        Args:
            work: does it; is given what notes how far it is.
            owner: whose it is.
            most: how many of this owner may be under way; None for any number.
            conceal: takes out of an error what the client must not see.

        Raises:
            TooManyTasks: there are so many.
        """
        now = _now()
        self._tasks = {key: one for key, one in self._tasks.items() if not one.is_stale(now)}
        own = [one for one in self._tasks.values() if one.owner == owner]
        if most is not None and sum(one.status == "working" for one in own) >= most:
            raise TooManyTasks(
                f"{most} tasks of yours are under way: no more are taken",
                hint="wait until one has ended, or cancel one",
            )
        ended = [one for one in own if one.status != "working"]
        for old in ended[: max(0, len(ended) - _MOST_KEPT + 1)]:
            del self._tasks[old.id]
        task = Task(owner)
        self._tasks[task.id] = task
        task.working = asyncio.create_task(_carry_out(task, work, conceal))
        return task

    def find(self, task_id: str, owner: str = "") -> Task:
        """Return an owner's task.

        Raises:
            MCPError: it has none of this id, or not any more.
        """
        task = self._tasks.get(task_id)
        if task is None or task.owner != owner or task.is_stale(_now()):
            raise MCPError(
                INVALID_PARAMS,
                f"Unknown task: {task_id[:64]}; make the call again: what was answered is kept",
            )
        return task

    def cancel(self, task_id: str, owner: str = "") -> None:
        """Stop a task's models; what was answered is kept.

        Raises:
            MCPError: as `find`.
        """
        task = self.find(task_id, owner)
        if task.working:
            task.working.cancel()

    def cancel_unless(self, may_go_on: Callable[[str], bool]) -> None:
        """Stop the tasks of those owners that may not go on."""
        for task in self._tasks.values():
            if task.working and not may_go_on(task.owner):
                task.working.cancel()

    async def close(self) -> None:
        """Cancel what is under way."""
        working = [one.working for one in self._tasks.values() if one.working]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def _carry_out(
    task: Task, work: Callable[[Tell], Awaitable[CallToolResult]], conceal: Callable[[str], str]
) -> None:
    try:
        result = await work(task.tell)
    except asyncio.CancelledError:
        task.end("cancelled", "cancelled")
        raise
    except MCPError as error:
        task.end("failed", error.error.message, error=error.error.model_dump(exclude_none=True))
    except Exception as error:
        log.exception("a task failed")
        said = conceal(f"{type(error).__name__}: {quote_foreign(str(error))}")
        task.end("failed", said, error={"code": INTERNAL_ERROR, "message": said})
    else:
        data = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        task.end("completed", task.message, result=data)


def serve_tasks(server: Server[Any], store: TaskStore, owner_of: Callable[[Context], str]) -> None:
    """Let a server answer for tasks, and say that it does.

    Args:
        server: of one client or of many.
        store: where the tasks are.
        owner_of: tells whose tasks a request may see.
    """

    async def get(context: Context, params: TaskParams) -> dict[str, Any]:
        return store.find(params.task_id, owner_of(context)).data()

    async def update(context: Context, params: TaskParams) -> dict[str, Any]:
        store.find(params.task_id, owner_of(context))  # no task here asks for input
        return {}

    async def cancel(context: Context, params: TaskParams) -> dict[str, Any]:
        store.cancel(params.task_id, owner_of(context))
        return {}

    server.extensions = {**server.extensions, EXTENSION: {}}
    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", TaskParams, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)


def takes_tasks(context: Context) -> bool:
    """Tell whether the client said with this request that it understands a handle."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = context.session.client_capabilities
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})
