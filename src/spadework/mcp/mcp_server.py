"""The engine as an MCP server: one `Server` for each connection, in both protocol revisions.

The low-level server of the SDK validates no arguments and hides what an exception says, so both
are done here (the SDK: docs/decisions/0003-mcp-server.md).
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolRequestParams, ListToolsResult, NotificationParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from spadework import __version__
from spadework.engine.job import Listener
from spadework.engine.tools import user_tools
from spadework.errors import SpadeworkError
from spadework.mcp.ask_each import ASK_EACH, SCHEMA, prepare
from spadework.mcp.client_roots import ClientRoots, RootsWanted
from spadework.mcp.tasks import serve_tasks, takes_tasks
from spadework.mcp.tool_arguments import input_schema, parse_call
from spadework.mcp.tool_descriptions import INSTRUCTIONS, LIST_MODELS, define_tools
from spadework.mcp.tool_results import concealed, error_result, outcome_result, survey_result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mcp.server.context import ServerRequestContext
    from mcp.server.models import InitializationOptions
    from mcp.server.session import ServerSession
    from mcp_types import (
        CallToolResult,
        InputRequiredResult,
        PaginatedRequestParams,
        SubscriptionsListenRequestParams,
        SubscriptionsListenResult,
    )

    from spadework.engine.job import Progress, Session
    from spadework.engine.tools import Tool
    from spadework.mcp.reloading_engine import ReloadingEngine

    Context = ServerRequestContext[Any, Any]


class _Server(Server[Any]):
    """Announces by itself what the handshake of the older revision must tell.

    Over HTTP the SDK builds the options of a handshake without asking us.
    """

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Tell that the list of tools may change."""
        return super().create_initialization_options(
            notification_options or NotificationOptions(tools_changed=True),
            experimental_capabilities,
            extensions,
        )


class McpConnection:
    """One client's view of the engine: its tools, its calls, its notices of change."""

    def __init__(self, live: ReloadingEngine, session: Session) -> None:
        self._live = live
        self._session = replace(session, name=session.name or uuid.uuid4().hex[:8])
        self._bus = InMemorySubscriptionBus()
        self._listens = ListenHandler(self._bus)
        self._roots = ClientRoots()
        self._client: ServerSession | None = None
        self._listed: dict[str, Tool] = {}
        self.server: Server[Any] = _Server(
            "spadework",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_subscriptions_listen=self._listen,
            # Without it the SDK lists all tools before every call over HTTP, to check headers.
            get_tool_input_schema=self._input_schema,
        )
        # Not an argument above: there the SDK does not know that a call may become a task.
        self.server.add_request_handler("tools/call", CallToolRequestParams, self._call_tool)
        serve_tasks(self.server, live.tasks, self._owner)
        self.server.add_notification_handler(
            "notifications/roots/list_changed", NotificationParams, self._roots_changed
        )

    def options(self) -> InitializationOptions:
        """What the handshake of the older revision announces."""
        return self.server.create_initialization_options()

    async def tools_changed(self) -> None:
        """Tell the client, as its revision wants it, if its list of tools is out of date."""
        if self._client is None or self._tools()[0] == self._listed:
            return
        await self._bus.publish(ToolsListChanged())
        if self._client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            await self._client.send_tool_list_changed()

    async def _roots_changed(self, _: Context, __: NotificationParams) -> None:
        self._roots.forget()

    def _tools(self) -> tuple[dict[str, Tool], str]:
        """The session's tools; without the project's, and why, where its file is wrong."""
        engine = self._live.engine
        try:
            return engine.tools(self._session.project), self._live.problem
        except SpadeworkError as error:
            return user_tools(engine.config), str(error)

    def _input_schema(self, name: str) -> dict[str, Any] | None:
        if name == ASK_EACH:
            return SCHEMA
        tool = self._tools()[0].get(name)
        return input_schema(tool) if tool else None

    async def _listen(
        self, context: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        return await self._listens(context, params)

    async def _list_tools(
        self, context: Context, _: PaginatedRequestParams | None
    ) -> ListToolsResult:
        self._client = context.session
        self._listed, _problem = self._tools()
        return ListToolsResult(tools=await define_tools(self._live.engine, self._listed))

    async def _call_tool(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult | dict[str, Any]:
        try:
            if params.name == LIST_MODELS:
                return await self._survey()
            if params.name == ASK_EACH:
                return await self._each(context, params)
            return await self._delegate(context, params)
        except RootsWanted as wanted:
            return wanted.question
        except SpadeworkError as error:
            return error_result(error, self._session.conceal)

    async def _survey(self) -> CallToolResult:
        tools, problem = self._tools()
        survey = await self._live.engine.survey(tools)
        return survey_result(survey, problem, self._session.conceal)

    async def _delegate(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = self._tools()[0].get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        job = parse_call(tool, params.arguments or {})
        session = self._session_of(context, params)
        async with reporting(context.session.report_progress) as note:
            outcome = await self._live.engine.delegate(job, session, Listener(progress=note))
        return outcome_result(concealed(outcome, session.conceal))

    async def _each(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | dict[str, Any]:
        """Ask about many items: as a task where the client takes a handle, else inline."""
        arguments = params.arguments or {}
        session = self._session_of(context, params)
        asking = await prepare(self._live.engine, session, arguments)
        if takes_tasks(context):
            owner = self._owner(context)
            task = self._live.tasks.start(asking.run, owner, self._most_tasks(), session.conceal)
            return {"resultType": "task", **task.data()}
        async with reporting(context.session.report_progress) as note:
            return await asking.run_inline(note)

    def _owner(self, _: Context) -> str:
        """Whose a task is; the windows of this machine's user are one."""
        return ""

    def _most_tasks(self) -> int | None:
        """How many tasks of one owner may be under way; None for any number."""
        return None

    def _session_of(self, context: Context, params: CallToolRequestParams) -> Session:
        """Say for whom a call is; here the client and we share a disk."""
        return replace(self._session, ask_roots=self._roots.asker(context, params))


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
