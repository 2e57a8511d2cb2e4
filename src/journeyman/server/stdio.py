"""The MCP server over standard input and output, all in this process."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from journeyman.config.load import load_config
from journeyman.engine.engine import Engine
from journeyman.engine.values import Session
from journeyman.server.live import LiveEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage

PROJECT_VARIABLE = "CLAUDE_PROJECT_DIR"


def run() -> None:
    """Serve one client until it closes its end, or a signal comes."""
    # SIGTERM cancels the task, so that streams are closed and rows are written on the way out.
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve_stdio())


async def _serve_stdio() -> None:
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - heavy

    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    loaded = load_config()
    async with Engine.from_config(loaded.config) as engine, stdio_server() as (read, write):
        await serve(LiveEngine(engine, loaded.path), session_here(os.environ), read, write)


async def serve(
    live: LiveEngine,
    session: Session,
    read: ReadStream[SessionMessage | Exception],
    write: WriteStream[SessionMessage],
) -> None:
    """Serve one connection over any pair of streams, until the client closes it.

    This is the seam between a transport and the engine: every transport calls it.
    """
    from journeyman.server.mcp import Connection  # noqa: PLC0415 - heavy

    connection = Connection(live, session)
    watching = asyncio.create_task(live.watch(session.project, connection.tools_changed))
    try:
        await connection.server.run(read, write, connection.options())
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def session_here(environ: Mapping[str, str]) -> Session:
    """The session of a client that started this process: its project folder, else the cwd."""
    return Session(project=Path(environ.get(PROJECT_VARIABLE) or Path.cwd()))
