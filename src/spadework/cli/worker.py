"""`spadework worker`: works on the runs that a Postgres keeps, beside others."""

from __future__ import annotations

from typing import Annotated

import typer

from spadework.cli.async_runner import run
from spadework.cli.pipeline_context import open_database
from spadework.errors import ArgumentError


def worker(
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="URL",
            help="The database that keeps the runs: postgresql://HOST/NAME. "
            "Default: SPADEWORK_ENGINE, or pipelines.engine of the config.",
        ),
    ] = "",
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            "-c",
            min=1,
            max=10_000,
            help="Items that each worker works on at once. The latest value applies to all.",
        ),
    ] = None,
) -> None:
    """Work on every run of a Postgres until stopped; several workers share the work.

    Each needs the same config, keys and paths. If one dies, the others take over its items.
    """
    context = open_database(engine)
    if not context.database.is_shared:
        context.database.close()
        raise ArgumentError(
            "workers need a Postgres: SQLite serves one process",
            hint="spadework worker --engine postgresql://HOST/NAME",
        )
    from spadework.pipelines.durable.worker_process import work

    def hear(name: str) -> None:
        typer.echo(f"working as {name}; Ctrl-C stops", err=True)

    at_once = concurrency or context.config.pipelines.at_once
    run(work(context.config, context.database, concurrency=at_once, hear=hear))
