"""The MCP gateway of a LiteLLM proxy: where our server is for it, whether it serves our tools."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from spadework.backends.http_clients import root_url
from spadework.backends.trust import host_of, is_local_host
from spadework.config.validators import http_address
from spadework.errors import ArgumentError
from spadework.litellm.render import MCP_NAME, TOKEN_VARIABLE
from spadework.mcp.http.http_server import DEFAULT_LISTEN
from spadework.util.finding import Finding
from spadework.util.http_client import async_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from spadework.config.models import BackendConfig

OUR_TOOL = "list_available_local_models"

_SECONDS = 20.0
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - compared, not listened at
_PATH = "/mcp"
_NOT_SERVED = "it does not serve Spadework's tools; `spadework litellm config --mcp` lets it"


def gateway_address(given: str, listen: str) -> str:
    """Return the address of our MCP server for the gateway.

    Args:
        given: what the user gave; its path may be missing. Empty: by `listen`.
        listen: where the daemon listens by the config; empty: the default of `serve`.

    Raises:
        ArgumentError: it is not a URL.
    """
    if not given:
        host, _, port = (listen or DEFAULT_LISTEN).rpartition(":")
        host = "127.0.0.1" if host.strip("[]") in _EVERY_ADDRESS else host
        return f"http://{host}:{port}{_PATH}"
    try:
        address = http_address(given)
    except ValueError as reason:
        raise ArgumentError(
            f"--mcp-url {given!r} {reason}", hint="write it such as http://koala:8765/mcp"
        ) from None
    return address if urlsplit(address).path else address + _PATH


async def look_at_gateway(settings: BackendConfig, key: str | None) -> Finding:
    """Ask the proxy's own MCP server for its tools, as a client would.

    Args:
        settings: the proxy's address.
        key: the proxy's key.
    """
    try:
        names = await _tools(settings, key)
    # The SDK raises errors of many kinds, in groups too; each means that it lists nothing.
    except Exception:  # noqa: BLE001 - see above
        names = []
    ours = [name for name in names if name.endswith(OUR_TOOL)]
    if ours:
        prefix = ours[0].removesuffix(OUR_TOOL)
        count = sum(name.startswith(prefix) for name in names)
        return Finding("ok", "mcp", "", f"the gateway serves Spadework: {count} tools")
    if not await _is_configured(settings, key):
        return Finding("ok", "mcp", "", _NOT_SERVED)
    return Finding(
        "error",
        "mcp",
        "",
        f"the gateway knows the server {MCP_NAME!r}, but lists none of its tools",
        f"run `spadework serve` at its address, and set {TOKEN_VARIABLE} for the proxy",
    )


async def _tools(settings: BackendConfig, key: str | None) -> list[str]:
    async with (
        asyncio.timeout(_SECONDS),
        _http(settings, {"x-litellm-api-key": f"Bearer {key or ''}"}) as http,
        Client(streamable_http_client(f"{root_url(settings.url)}/mcp/", http_client=http)) as mcp,
    ):
        return [tool.name for tool in (await mcp.list_tools()).tools]


async def _is_configured(settings: BackendConfig, key: str | None) -> bool:
    """Ask for the list of MCP servers; a proxy or a key that tells none has none for us."""
    async with _http(settings, {"Authorization": f"Bearer {key or ''}"}) as http:
        try:
            async with asyncio.timeout(_SECONDS):
                told: Any = (await http.get(f"{root_url(settings.url)}/v1/mcp/server")).json()
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError):
            return False
    servers = told if isinstance(told, list) else []
    return any(isinstance(one, dict) and one.get("server_name") == MCP_NAME for one in servers)


@asynccontextmanager
async def _http(
    settings: BackendConfig, headers: dict[str, str]
) -> AsyncIterator[httpx2.AsyncClient]:
    timeout = httpx2.Timeout(_SECONDS, connect=settings.connect_timeout)
    # What is meant to stay on the local network takes no proxy of the environment.
    local = is_local_host(host_of(settings.url))
    async with async_client(httpx2, headers=headers, timeout=timeout, trust_env=not local) as http:
        yield http
