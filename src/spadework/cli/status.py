"""`spadework status`: what the daemon is doing now."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.async_runner import run
from spadework.cli.console import print_table
from spadework.cli.daemon import NONE_RUNS
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import Json
from spadework.cli.status_view import as_tables, load_status, sections
from spadework.daemon.control import place_here
from spadework.errors import ArgumentError, DaemonError
from spadework.util.serialization import MalformedData
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from rich.console import RenderableType

_SECONDS_BETWEEN = 1.0


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what the daemon is doing: backends, what runs and waits, what failed last.

    In a pipe: tab-separated, no header, the first word says what a line is about: daemon, backend,
    running, waiting, breaker or error.
    """
    if watch:
        _watch(as_json=as_json)
        return
    told = run(_ask())
    if as_json:
        print(printable_json(_as_data(told), 2))
    elif told is not None:
        _print(told)
    else:
        typer.echo(NONE_RUNS, err=True)
    if told is None:
        raise typer.Exit(EXIT_FAILED)


async def _ask() -> dict[str, Any] | None:
    """Ask the daemon; None where none runs."""
    from spadework.remote.client import connect

    def read(result: object) -> dict[str, Any]:
        if not isinstance(result, dict):
            raise MalformedData("expected the status to be an object")
        return result

    line = await connect(place_here())
    return None if line is None else await line.call({"call": "status"}, read)


def _as_data(told: dict[str, Any] | None) -> dict[str, Any]:
    return {"running": False} if told is None else told


def _print(told: dict[str, Any]) -> None:
    for number, section in enumerate(sections(load_status(told), time.time())):
        if not sys.stdout.isatty():
            word = section.header[0]
            print_table(["", *section.header], [[word, *row] for row in section.rows])
            continue
        if number:
            print()
        print_table(section.header, section.rows, spare=section.spare)


def _watch(*, as_json: bool) -> None:
    if not as_json and not sys.stdout.isatty():
        raise ArgumentError(
            "--watch needs a terminal", hint="--watch --json prints one object a second"
        )
    try:
        run(_print_for_ever() if as_json else _show_for_ever())
    except KeyboardInterrupt:
        return


async def _print_for_ever() -> None:
    import asyncio

    while True:
        print(printable_json(_as_data(await _ask())), flush=True)
        await asyncio.sleep(_SECONDS_BETWEEN)


async def _show_for_ever() -> None:
    """Show the status until interrupted; when a daemon ends, show the next one."""
    import asyncio

    from rich.console import Console, Group
    from rich.live import Live

    with Live(console=Console(highlight=False), auto_refresh=False, screen=True) as live:
        while True:
            parts: list[RenderableType]
            try:
                told = await _ask()
                parts = [NONE_RUNS] if told is None else _tables(told)
            except DaemonError as error:
                parts = [str(error)]
            live.update(Group(*parts), refresh=True)
            await asyncio.sleep(_SECONDS_BETWEEN)


def _tables(told: dict[str, Any]) -> list[RenderableType]:
    return as_tables(load_status(told), time.time())
