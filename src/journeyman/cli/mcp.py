"""`journeyman mcp`: what an MCP client starts."""

from __future__ import annotations


def mcp() -> None:
    """Serve the tools to an MCP client over standard input and output.

    A client starts this; register it with: claude mcp add journeyman -- journeyman mcp
    """
    from journeyman.server.stdio import run  # noqa: PLC0415 - heavy

    run()
