"""A server for the official conformance suite, on Journeyman's own core over HTTP.

The tools have the names that the suite calls. It calls them without arguments, which a config file
cannot allow, so their template is the whole prompt. A double of a model server answers.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn

from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from journeyman.config.models import BackendConfig, Config, ToolConfig
from journeyman.engine.engine import Engine
from journeyman.engine.values import Session
from journeyman.server.live import LiveEngine
from journeyman.server.mcp import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.applications import Starlette

PLAYS = {
    "test_simple_text": Play(reply="This is a simple text response for testing."),
    "test_error_handling": Play(reply=""),
    "test_tool_with_progress": Play(reply="a b c d e f g h", pause=0.25),
}
"""The suite's tools that a plain text tool can be, and how the model behind each behaves."""


@asynccontextmanager
async def conformance_server(folder: Path) -> AsyncIterator[str]:
    """Run the server; yields its address.

    Args:
        folder: its project folder, where its ledger goes too.
    """
    with OpenAIDouble(*PLAYS) as double:
        for name, play in PLAYS.items():
            double.plays(play, model=name)
        async with Engine.from_config(_config(double.url, folder), {}) as engine:
            live = LiveEngine(engine, folder / "config.toml")
            connection = Connection(live, Session(project=folder))
            async with _serving(connection.server.streamable_http_app()) as url:
                yield url


def _config(url: str, folder: Path) -> Config:
    config = Config.model_validate(
        {"backends": {"double": BackendConfig(kind="openai", url=url)}, "ledger": {"path": str(folder / "ledger.db")}}
    )
    return config.model_copy(update={"tools": {name: _tool(name) for name in PLAYS}})


def _tool(name: str) -> ToolConfig:
    """Make a tool that takes no argument but those that every tool has."""
    tool = ToolConfig(use_for="the conformance suite", models=[f"double/{name}"])
    return tool.model_copy(update={"parameters": {}, "template": "Go."})


@asynccontextmanager
async def _serving(app: Starlette) -> AsyncIterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", ws="none", timeout_graceful_shutdown=1)
    )
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        await task
