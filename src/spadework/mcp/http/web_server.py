"""The web server, uvicorn, inside a process that has its own signals and its own log."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from spadework.mcp.http.connections import ConnectionLimits, HttpProtocol
from spadework.mcp.http.listen_address import is_one_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from spadework.config.models import HttpConfig

_ACCEPTED_AT_ONCE = 128
"""asyncio accepts as many connections in one go as may wait, before any limit sees them."""
_WAITING = 1024
"""Connections that the system keeps until they are accepted."""
_SECONDS_TO_READ = 2
"""Time limit for a client that does not read, once the server stops."""


class WebServer(uvicorn.Server):
    """Serves one ASGI application.

    Args:
        app: answers the requests.
        settings: gives the config's section as it is now; the proxies are those of the start.
    """

    def __init__(self, app: Any, settings: Callable[[], HttpConfig]) -> None:
        proxies = settings().trusted_proxies
        limits = ConnectionLimits(settings, partial(is_one_of, proxies))
        config = uvicorn.Config(
            ProxyHeadersMiddleware(app, proxies) if proxies else app,
            interface="asgi3",
            http=partial(HttpProtocol, limits, settings),  # type: ignore[arg-type]
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="error",  # a stranger must not be able to fill the log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_ACCEPTED_AT_ONCE,
            timeout_graceful_shutdown=_SECONDS_TO_READ,
        )
        super().__init__(config)
        self._ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=list(sockets or ()))
        for one in sockets or ():
            one.listen(_WAITING)
        self._ready.set()

    async def until_ready(self, task: asyncio.Task[None]) -> None:
        """Wait until it listens; what ends its task before is raised."""
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait((ready, task), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
