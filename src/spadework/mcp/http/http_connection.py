"""The MCP server that all HTTP clients share: each call identifies its client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST

from spadework.engine.job import Session
from spadework.mcp.ask_each import ASK_EACH
from spadework.mcp.http.exchange import Exchange
from spadework.mcp.http.guard import HttpRejected
from spadework.mcp.http.mapped_folders import MappedFolders, conceal
from spadework.mcp.mcp_server import McpConnection
from spadework.mcp.stdio import project_folder
from spadework.mcp.tool_descriptions import LIST_MODELS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mcp.server.context import ServerRequestContext
    from mcp_types import (
        CallToolRequestParams,
        CallToolResult,
        InputRequiredResult,
        SubscriptionsListenRequestParams,
        SubscriptionsListenResult,
    )

    from spadework.engine.tools import Tool
    from spadework.mcp.reloading_engine import ReloadingEngine

    Context = ServerRequestContext[Any, Any]

SESSION_HEADER = "mcp-session-id"
NOWHERE = Path("/")
_CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


class HttpConnection(McpConnection):
    """What the clients over HTTP share: tools without a project, and one notice of change.

    Args:
        live: the engine.
        keys: of the environment of who opened the server, by the variable's name.
        tell: sends a message to every client of the older revision that listens.
    """

    def __init__(
        self,
        live: ReloadingEngine,
        keys: Mapping[str, str],
        tell: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self.project = project_folder(NOWHERE)
        session = Session(project=self.project, name="http", keys=keys, conceal=self._conceal)
        super().__init__(live, session)
        self._tell = tell
        self._told = self._tools()[0]

    async def tools_changed(self) -> None:
        """Tell every client that listens, if the tools are others than were told last."""
        tools = self._tools()[0]
        if tools == self._told:
            return
        self._told = tools
        await self._bus.publish(ToolsListChanged())
        await self._tell(_CHANGED)

    def stop_listening(self) -> None:
        """End the streams of the newer revision that wait for changes, as its spec says."""
        self._listens.close()

    async def _listen(
        self, context: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        try:
            _exchange(context).only_listens()
        except HttpRejected as refusal:
            raise MCPError(INVALID_REQUEST, str(refusal)) from None
        return await super()._listen(context, params)

    async def _call_tool(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult | dict[str, Any]:
        exchange = _exchange(context)
        if params.name in {LIST_MODELS, ASK_EACH} or params.name in self._tools()[0]:
            await exchange.begin_stream()
        return await exchange.while_wanted(super()._call_tool(context, params))

    def _tools(self) -> tuple[dict[str, Tool], str]:
        tools, problem = super()._tools()
        return tools, "the server's log says why" if problem else ""

    def _owner(self, context: Context) -> str:
        return _exchange(context).caller.identity

    def _most_tasks(self) -> int:
        return self._live.engine.config.http.max_tasks_per_token

    def _conceal(self, text: str) -> str:
        return conceal(text, self._live.engine.config, self._live.config_file)

    def _session_of(self, context: Context, _: CallToolRequestParams) -> Session:
        """Open nothing but the folders that the config maps."""
        mapped = MappedFolders(self._live.engine.config.http.roots)
        session = replace(
            self._session,
            name=_name(context),
            localize=mapped.local,
            names=mapped.names,
            conceal=self._conceal,
        )
        if mapped.only:
            return replace(session, project=mapped.only)
        return replace(session, roots=tuple(mapped.folders.values()))


def _exchange(context: Context) -> Exchange:
    assert context.request is not None  # noqa: S101 - the SDK's transport hands on every request
    return Exchange.of(context.request.scope)


def _name(context: Context) -> str:
    """Name the session: its caller, and which of its windows where the revision tells that."""
    caller = _exchange(context).caller.name
    session = context.request.headers.get(SESSION_HEADER, "") if context.request else ""
    return f"{caller}-{session[:8]}" if session else caller
