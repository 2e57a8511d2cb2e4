"""`spadework serve --in-process`: the HTTP server with an engine of its own."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.mcp.http.http_server import DEFAULT_LISTEN, HttpServer, HttpSettings
from spadework.mcp.reloading_engine import ReloadingEngine

if TYPE_CHECKING:
    from collections.abc import Callable


async def serve_in_process(
    listen: str, announce: Callable[[str, bool], None], *, require_token: bool
) -> None:
    """Serve until the server is closed or the task is cancelled.

    Args:
        listen: HOST:PORT; empty for the default.
        announce: receives the URL, and whether clients need a token.
        require_token: whether clients on loopback need one too.
    """
    loaded = load_config()
    settings = HttpSettings(listen or DEFAULT_LISTEN, require_token)
    async with Engine.from_config(loaded.config, os.environ) as engine:
        live = ReloadingEngine(engine, loaded.path)
        server = HttpServer(live, settings)
        url = await server.start()
        following = asyncio.create_task(live.follow())
        try:
            announce(url, server.needs_token)
            await server.until_closed()
        finally:
            following.cancel()
            await server.stop()
