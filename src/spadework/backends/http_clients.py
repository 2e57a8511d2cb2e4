"""The one place that builds the clients of model servers.

The environment may hold keys, addresses and headers that are meant for other servers: OpenAI's SDK
reads `OPENAI_API_KEY`, `OPENAI_ADMIN_KEY`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`, `OPENAI_BASE_URL`
and `OPENAI_CUSTOM_HEADERS` by itself. None of them is used here. Importing the SDK takes half a
second, so it is loaded at its first use.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from spadework.backends.retry_transport import KEEP_ALIVE, RetryTransport
from spadework.util.http_client import async_client

if TYPE_CHECKING:
    from collections.abc import Callable

    import openai

    from spadework.backends.base import BackendSettings

OUR_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
    }
)


_imported: set[str] = set()


async def import_in_thread(library: str) -> None:
    """Import a library in a thread, the first time: the event loop goes on meanwhile."""
    if library not in _imported:
        await asyncio.to_thread(importlib.import_module, library)
        _imported.add(library)


def root_url(url: str) -> str:
    """The server's address without `/v1`, where servers keep what is not OpenAI's API."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def api_url(url: str) -> str:
    """The address of the OpenAI-compatible API: with `/v1` once, whether `url` has it or not."""
    return root_url(url) + "/v1"


def shown_url(url: str) -> str:
    """The address as it may be shown: without a user's name and password."""
    return re.sub(r"//[^/@\s]*@", "//", root_url(url))


def http_client(settings: BackendSettings, socket: str | None = None) -> httpx2.AsyncClient:
    """Build the HTTP client of a server; enough for its lists, and a fifth of the SDK's import.

    Args:
        settings: the backend; the client waits `connect_timeout` for the connection, and as
            long for each byte as the engine may wait for a token.
        socket: the path of a unix socket on which the server listens; the host of
            `settings.url` is then only a name.
    """
    if socket:
        logging.getLogger("asyncio").addFilter(_is_no_lost_race)
    longest = max(settings.first_token_timeout, settings.idle_timeout)
    client: httpx2.AsyncClient = async_client(
        httpx2,
        auth=_sends_only_ours(settings),
        timeout=httpx2.Timeout(longest, connect=settings.connect_timeout, pool=None),
        transport=_transport(settings, socket),
        follow_redirects=False,  # a redirect could lead local data elsewhere
    )
    return client


def openai_client(settings: BackendSettings, wire: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """Build the client of an OpenAI-compatible server on its HTTP client."""
    import openai  # noqa: PLC0415 - importing it is slow

    return openai.AsyncOpenAI(
        base_url=api_url(settings.url),
        api_key="set by the client below",
        max_retries=0,  # the engine decides what is tried again
        http_client=wire,
        timeout=wire.timeout,
    )


def _transport(settings: BackendSettings, socket: str | None) -> RetryTransport:
    """Build the transport of a server: lost requests are sent again.

    Only a server that is not near is asked through the proxy of the environment: local data stays
    local.
    """
    proxy = None if socket or settings.is_near else _proxy_of(settings.url)
    transport = httpx2.AsyncHTTPTransport(
        verify=True if proxy else _certificates(settings.url),
        uds=socket,
        proxy=proxy,
        limits=httpx2.Limits(
            max_connections=None, max_keepalive_connections=64, keepalive_expiry=KEEP_ALIVE
        ),
    )
    return RetryTransport(transport)


def _proxy_of(url: str) -> str | None:
    """Name the proxy that the environment wants for an address; None if it wants none."""
    address = urlsplit(url)
    if proxy_bypass(address.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(address.scheme) or proxies.get("all")


def _certificates(url: str) -> ssl.SSLContext | bool:
    """Say which certificates to trust: the system's, or none without TLS.

    Reading the system's takes 50 ms for each client. Redirects are not followed, so a server
    without TLS never leads to one that has it.
    """
    return True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _sends_only_ours(settings: BackendSettings) -> Callable[[httpx2.Request], httpx2.Request]:
    """Make the step through which every request passes last: it decides what headers leave.

    It runs in the task that asks, so that each window's request carries that window's key.
    """

    def authorize(request: httpx2.Request) -> httpx2.Request:
        for name in set(request.headers) - OUR_HEADERS:
            del request.headers[name]
        if key := settings.api_key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    return authorize


def _is_no_lost_race(record: logging.LogRecord) -> bool:
    """Keep a harmless traceback off the user's screen.

    anyio wakes who waits for a unix socket by `Future.set_result`, also if the wait was cancelled
    in the same turn of the event loop. asyncio then logs an error, though nothing is wrong.
    """
    error = record.exc_info[1] if record.exc_info else None
    is_wake_up = "Future.set_result" in record.getMessage()
    return not (is_wake_up and isinstance(error, asyncio.InvalidStateError))
