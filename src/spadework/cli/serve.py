"""`spadework mcp` and `serve`: the MCP server over standard streams and over HTTP."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.async_runner import run
from spadework.config.loader import load_config
from spadework.errors import DaemonError
from spadework.remote.messages import line_of, load_error
from spadework.shim.client import DaemonUnavailable
from spadework.shim.launcher import connect_or_start
from spadework.shim.main import main as relay
from spadework.shim.rendezvous import CALL, NoEndpoint, endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS_BEFORE_ANOTHER = 1.0


def mcp(
    *,
    in_process: Annotated[
        bool,
        typer.Option("--in-process", help="Do the work in this process, without the daemon."),
    ] = False,
) -> None:
    """Serve the tools to an MCP client over standard input and output.

    A client starts this; `spadework setup` registers it.

    It relays everything to the daemon, which all windows share, and starts it if necessary.
    """
    if in_process:
        from spadework.mcp.stdio import run as serve_stdio

        serve_stdio()
    else:
        relay()


def serve(
    listen: Annotated[
        str,
        typer.Option(
            "--http",
            metavar="HOST:PORT",
            help="Listen on this address. Default: 127.0.0.1:8765.",
        ),
    ] = "",
    require_token: Annotated[
        bool,
        typer.Option("--require-token", help="Require a token on loopback too."),
    ] = False,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Work without the daemon, with a separate queue.")
    ] = False,
) -> None:
    """Serve the tools to MCP clients over HTTP, until Ctrl-C.

    The daemon does the work, so that clients here and elsewhere share one queue. Beyond loopback
    every client needs a token: see `spadework token new`.
    """
    if in_process:
        run(_serve_in_process(listen, require_token=require_token))
        return
    while _serve_by_daemon(listen, require_token=require_token):
        sys.stderr.write("the daemon ended; another one takes over\n")
        time.sleep(_SECONDS_BEFORE_ANOTHER)


async def _serve_in_process(listen: str, *, require_token: bool) -> None:
    import asyncio

    from spadework.engine.engine import Engine
    from spadework.mcp.http.http_server import DEFAULT_LISTEN, HttpServer, HttpSettings
    from spadework.mcp.reloading_engine import ReloadingEngine

    loaded = load_config()
    settings = HttpSettings(listen or DEFAULT_LISTEN, require_token)
    async with Engine.from_config(loaded.config, os.environ) as engine:
        live = ReloadingEngine(engine, loaded.path)
        server = HttpServer(live, settings)
        url = await server.start()
        following = asyncio.create_task(live.follow())
        try:
            _announce(url, needs_token=server.needs_token)
            await server.until_closed()
        finally:
            following.cancel()
            await server.stop()


def _serve_by_daemon(listen: str, *, require_token: bool) -> bool:
    """Have the daemon serve; returns whether it served and then ended."""
    try:
        met = connect_or_start(endpoint(), CALL)
    except NoEndpoint as failure:
        raise DaemonError(str(failure), hint="`--in-process` needs no daemon") from None
    except DaemonUnavailable as failure:
        raise DaemonError(str(failure), hint=failure.hint) from None
    request = {"call": "serve", "listen": listen, "require_token": require_token}
    served = False
    with met.socket as connection:
        connection.settimeout(None)
        connection.sendall(line_of(request))
        with connection.makefile("rb") as lines:
            for line in lines:
                told: Mapping[str, Any] = json.loads(line)
                if error := told.get("error"):
                    raise load_error(error)
                if serving := told.get("serving"):
                    served = True
                    _announce(str(serving["url"]), needs_token=bool(serving["needs_token"]))
    if not served:
        raise DaemonError("the daemon ended", hint="`spadework daemon logs` says why")
    return served


def _announce(url: str, *, needs_token: bool) -> None:
    """Print the URL it listens on, and the command that registers it in Claude Code."""
    command = f"claude mcp add --transport http spadework {url}"
    if needs_token:
        command += ' --header "Authorization: Bearer TOKEN"'
    print(f"serving MCP at {url}; Ctrl-C stops it")
    print(f"{'on the other machine' if needs_token else 'on this machine'}: {command}")
    if needs_token:
        print("TOKEN is the token that `spadework token new` printed")
    sys.stdout.flush()
