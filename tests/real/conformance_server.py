"""A server for the official conformance suite: Spadework's own core, here over HTTP.

The config has tools of the names that the suite calls; a double of a model server answers. The
suite calls them without arguments, so those that a client would give are put in on the way.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.engine.job import Session
from spadework.mcp.mcp_server import McpConnection
from spadework.mcp.reloading_engine import ReloadingEngine
from spadework.util.paths import PROJECT_CONFIG_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp_types import CallToolRequestParams
    from starlette.applications import Starlette

TEXT = Play(reply="This is a simple text response for testing.")
CHANGE = "test_trigger_tool_change"
ROOTS = "test_input_required_result_list_roots"
PLAYS = {
    "test_simple_text": TEXT,
    "test_error_handling": Play(reply=""),
    "test_tool_with_progress": Play(reply="a b c d e f g h", pause=0.25),
    "test_streaming_elicitation": TEXT,
    "test_logging_tool": TEXT,
    CHANGE: TEXT,
    ROOTS: TEXT,
}
"""The suite's tools that a tool of ours can be, and how the model behind each behaves."""

ARGUMENTS = {"prompt": "Go."}
ELSEWHERE = {"files": ["/elsewhere/notes.md"]}
"""A reference that is in no root, so that the client is asked for its folders."""


@asynccontextmanager
async def conformance_server(folder: Path) -> AsyncIterator[str]:
    """Run the server; yields its address.

    Args:
        folder: where its config, its ledger and its project go.
    """
    project = folder / "project"
    project.mkdir()
    with OpenAIDouble(*PLAYS) as double:
        for name, play in PLAYS.items():
            double.plays(play, model=name)
        config_file = folder / "config.toml"
        config_file.write_text(_config(double.url, folder))
        async with Engine.from_config(load_config(config_file).config, {}) as engine:
            connection = McpConnection(
                ReloadingEngine(engine, config_file), Session(project=project)
            )
            _answer_the_suite(connection, project)
            async with _serving(connection.server.streamable_http_app()) as url:
                yield url


def _config(url: str, folder: Path) -> str:
    tables = ["[backends.double]", 'kind = "openai"', f'url = "{url}"']
    tables += ["[ledger]", f'path = "{folder / "ledger.db"}"']
    for name in PLAYS:
        tables += [f"[tools.{name}]", 'use_for = "the suite"', f'models = ["double/{name}"]']
    return "\n".join(tables)


def _answer_the_suite(connection: McpConnection, project: Path) -> None:
    """Put the arguments in that the suite leaves out, and change the tools when it asks for it."""
    own = connection.server.get_request_handler("tools/call")
    assert own

    async def call(context: Any, params: CallToolRequestParams) -> Any:
        arguments = ARGUMENTS | (ELSEWHERE if params.name == ROOTS else {})
        result = await own.handler(context, params.model_copy(update={"arguments": arguments}))
        if params.name == CHANGE:
            (project / PROJECT_CONFIG_NAME).write_text('[tools.added]\nuse_for = "a change"\n')
            await connection.tools_changed()
        return result

    connection.server.add_request_handler("tools/call", own.params_type, call)


@asynccontextmanager
async def _serving(app: Starlette) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none")
    config.timeout_graceful_shutdown = 1  # a stream that listens for changes never ends by itself
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        await task
