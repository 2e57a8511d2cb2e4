"""`spadework status`: what the daemon is doing now."""

from __future__ import annotations

from typing import Annotated

import typer

from spadework.cli.options import Json


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
    from spadework.cli.status_screen import print_status, watch_status

    if watch:
        watch_status(as_json=as_json)
    else:
        print_status(as_json=as_json)
