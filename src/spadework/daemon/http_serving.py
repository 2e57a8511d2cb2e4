"""The HTTP face inside the daemon, so that one queue serves the windows here and those elsewhere.

The call `serve` of spadework.remote.messages; it lasts as long as its connection:

    client  {"call": "serve", "listen": "HOST:PORT", "require_token": false}
    daemon  {"serving": {"url": "http://HOST:PORT/mcp", "needs_token": true}}

or, in place of the answer, `{"error": {…}}` and the end.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from spadework.errors import SpadeworkError
from spadework.mcp.http.http_server import DEFAULT_LISTEN, HttpServer, HttpSettings
from spadework.remote.messages import line_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.daemon.daemon_service import DaemonService

log = logging.getLogger(__name__)

_AT_ONCE = 4096


async def serve_http(
    daemon: DaemonService,
    request: Mapping[str, Any],
    writer: asyncio.StreamWriter,
    reader: asyncio.StreamReader,
    keys: Mapping[str, str],
) -> None:
    """Open the face, tell where it is, and close it when the client closes its end.

    Args:
        daemon: whose engine it serves.
        request: the call.
        writer: takes the answer.
        reader: ends with the client.
        keys: of the client's environment; calls over HTTP use them.

    Raises:
        ArgumentError: the address cannot be used.
        ConfigError: the file of tokens cannot be read.
    """
    settings = HttpSettings(
        listen=str(request.get("listen") or DEFAULT_LISTEN),
        require_token=request.get("require_token") is True,
        keys=keys,
    )
    face = HttpServer(daemon.live, settings)
    url = await face.start()
    daemon.http.append(url)
    gone = asyncio.create_task(_until_gone(reader))
    closed = asyncio.create_task(face.until_closed())
    try:
        writer.write(line_of({"serving": {"url": url, "needs_token": face.needs_token}}))
        await asyncio.wait((gone, closed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        closed.cancel()
        daemon.http.remove(url)
        await face.stop()


async def open_configured(daemon: DaemonService) -> HttpServer | None:
    """Open the face that the config asks for; what stands in its way is logged and shown.

    Returns:
        The face, to be stopped with the daemon; None where none is wanted or possible.
    """
    listen = daemon.live.engine.config.http.listen
    if not listen:
        return None
    face = HttpServer(daemon.live, HttpSettings(listen=listen))
    try:
        daemon.http.append(await face.start())
    except SpadeworkError as error:
        log.error("no HTTP at %s: %s", listen, error)  # noqa: TRY400 - one line says it all
        daemon.http.append(f"not at {listen}: {error}")
        return None
    return face


async def _until_gone(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(_AT_ONCE):
            pass
    except ConnectionError:
        return
