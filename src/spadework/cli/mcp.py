"""`spadework mcp`: what an MCP client starts."""

from __future__ import annotations

from typing import Annotated

import typer

from spadework.shim import main


def mcp(
    *,
    in_process: Annotated[
        bool,
        typer.Option("--in-process", help="Do the work in this process, without the daemon."),
    ] = False,
) -> None:
    """Serve the tools to an MCP client over standard input and output.

    A client starts this; `spadework setup` registers it.

    It passes everything on to the daemon, which all windows share, and starts that if need be.
    """
    if in_process:
        from spadework.mcp.stdio import run

        run()
        return

    main()
