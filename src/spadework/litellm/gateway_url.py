"""Where a LiteLLM proxy finds our MCP server."""

from __future__ import annotations

from urllib.parse import urlsplit

from spadework.config.validators import http_address
from spadework.errors import ArgumentError

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - compared, not listened at
_PATH = "/mcp"


def gateway_address(given: str, listen: str) -> str:
    """Return the address of our MCP server for the gateway.

    Args:
        given: what the user gave; its path may be missing. Empty: by `listen`.
        listen: where the daemon listens by the config; empty: the default of `serve`.

    Raises:
        ArgumentError: it is not a URL.
    """
    from spadework.mcp.http.http_server import DEFAULT_LISTEN  # noqa: PLC0415 - heavy

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
