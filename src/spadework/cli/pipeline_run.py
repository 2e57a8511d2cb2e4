"""`spadework pipeline run` and `resume`: a run from its items to its results."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from spadework.cli.async_runner import run as run_until_ended
from spadework.cli.console import printable_json
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.pipeline_context import EXIT_SOME, EXIT_STOPPED, open_database
from spadework.cli.pipeline_estimate import show
from spadework.cli.pipeline_progress import Display
from spadework.engine.job import Session
from spadework.errors import ArgumentError, PipelineError

if TYPE_CHECKING:
    from spadework.config.models import Config
    from spadework.pipelines.items import Item, RunProgress
    from spadework.pipelines.run_options import RunOptions
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Run

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="Write the results here: JSON lines. {run} in it is the id.",
    ),
]
Ordered = Annotated[
    bool | None, typer.Option("--ordered", help="Write the results in the order of the items.")
]
Budget = Annotated[
    float | None,
    typer.Option("--budget-usd", metavar="USD", help="Never spend more than this on Claude."),
]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", "-c", min=1, max=10_000, help="Items worked on at once."),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="URL", help="Keep runs in this database: postgresql://… or sqlite:///…"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Say how the run ended as JSON.")]


_MOST_LEFT_OUT = 10


def run(
    pipeline: Annotated[
        str, typer.Argument(metavar="FILE[:NAME]", help="A pipeline's file, or a ready one's name.")
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Paths, folders, globs, a .jsonl file, git:RANGE, or - for stdin."),
    ] = None,
    out: Out = None,
    ordered: Ordered = None,
    budget_usd: Budget = None,
    concurrency: Concurrency = None,
    run_id: Annotated[
        str, typer.Option("--run", metavar="ID", help="The run's id; the same id is the same run.")
    ] = "",
    resume_it: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the newest run of this pipeline not yet done."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would ask and cost; ask no model.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="No item goes to a cloud model.")
    ] = False,
    no_claude: Annotated[
        bool, typer.Option("--no-claude", help="Do not ask Claude, even if there is a key.")
    ] = False,
    batch: Annotated[
        bool | None,
        typer.Option("--batch", help="Ask Claude by the Message Batches API: half price, slow."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the pipeline. Repeatable."),
    ] = None,
    engine: Engine = "",
    as_json: AsJson = False,
) -> None:
    """Run a pipeline over many items; what is done is kept, so that it can be stopped and resumed.

    Exits with 0 if every item has a value, with 4 if some have, with 1 if none has or the run
    failed, and with 5 if it stopped at its budget or was cancelled.
    """
    config, database = open_database(engine)
    from spadework.pipelines.run_options import (  # noqa: PLC0415 - heavy
        RunOptions,
        checked_id,
        checked_pipeline,
        default_inputs,
        new_id,
        new_run,
        settings_of,
        to_go_on_with,
    )
    from spadework.pipelines.store.runs import Runs  # noqa: PLC0415 - heavy

    name = checked_pipeline(pipeline)
    wishes = RunOptions(
        out=out,
        ordered=ordered,
        budget_usd=_positive(budget_usd),
        concurrency=concurrency,
        uses_claude=False if no_claude else None,
        batch=batch,
        settings=settings_of(settings or []) or None,
    )
    chosen = checked_id(run_id) if run_id else ""
    runs = Runs(database)
    if not dry_run and (known := to_go_on_with(runs, chosen, name, resume=resume_it)):
        if private and not runs.is_private(known.id):
            raise ArgumentError(
                f"--private: the run {known.id} was begun with items that are not",
                hint="begin another one: --run with a new id, without --resume",
            )
        if inputs:
            typer.echo(f"note: the run {known.id} has its own items; inputs are not read", err=True)
        _go_on(config, database, known, wishes, engine, as_json=as_json)
    if resume_it and not dry_run:
        typer.echo("note: there is nothing to resume; this is a new run", err=True)
    items = _items(inputs or default_inputs(name), config, private=private)
    planned = new_run(chosen or new_id(name), name, len(items), wishes, Path.cwd(), config)
    if dry_run:
        _estimate(config, database, planned, items, as_json=as_json)
    else:
        _drive(config, database, planned, items, engine, as_json=as_json)


def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    out: Out = None,
    ordered: Ordered = None,
    budget_usd: Budget = None,
    concurrency: Concurrency = None,
    no_claude: Annotated[bool, typer.Option("--no-claude", help="Do not ask Claude.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Other settings than before. Repeatable."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the items again that failed.")
    ] = False,
    engine: Engine = "",
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was stopped, died, or reached its budget; finished items stay."""
    config, database = open_database(engine)
    from spadework.pipelines.run_options import RunOptions, settings_of  # noqa: PLC0415 - heavy
    from spadework.pipelines.store.runs import Runs  # noqa: PLC0415 - as above

    wishes = RunOptions(
        out=out,
        ordered=ordered,
        budget_usd=_positive(budget_usd),
        concurrency=concurrency,
        uses_claude=False if no_claude else None,
        settings=settings_of(settings or []) or None,
    )
    known = Runs(database).find(run_id)
    _go_on(config, database, known, wishes, engine, as_json=as_json, retry_failed=retry_failed)


def _go_on(
    config: Config,
    database: Database,
    known: Run,
    wishes: RunOptions,
    engine: str,
    *,
    as_json: bool,
    retry_failed: bool = False,
) -> NoReturn:
    from spadework.pipelines.run_options import with_wishes  # noqa: PLC0415 - heavy

    planned = replace(known, options=with_wishes(known.options, wishes, known.id))
    _drive(config, database, planned, None, engine, as_json=as_json, retry_failed=retry_failed)


def _positive(budget_usd: float | None) -> float | None:
    if budget_usd is not None and not 0 < budget_usd < inf:
        raise ArgumentError(
            f"--budget-usd {budget_usd} is not a valid amount", hint="such as 2 or 0.50"
        )
    return budget_usd


def _items(inputs: list[str], config: Config, *, private: bool) -> tuple[Item, ...]:
    from spadework.api import current_folder  # noqa: PLC0415 - heavy
    from spadework.pipelines.item_inputs import find_items  # noqa: PLC0415 - as above

    session = Session(current_folder(), name="pipeline")
    listing = find_items(inputs, session, config, stdin=sys.stdin, private=private)
    found = run_until_ended(listing)
    for one in found.left_out[:_MOST_LEFT_OUT]:
        typer.echo(f"never read: {one.path}: {one.reason}", err=True)
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    if len(found.left_out) > _MOST_LEFT_OUT:
        typer.echo(f"never read: {len(found.left_out) - _MOST_LEFT_OUT} more", err=True)
    return found.items


def _estimate(
    config: Config, database: Database, planned: Run, items: tuple[Item, ...], *, as_json: bool
) -> None:
    show(config, database, planned, items, as_json=as_json)


def _drive(
    config: Config,
    database: Database,
    planned: Run,
    items: tuple[Item, ...] | None,
    engine: str,
    *,
    as_json: bool,
    retry_failed: bool = False,
) -> NoReturn:
    from spadework.pipelines.run_driver import drive  # noqa: PLC0415 - as above

    typer.echo(f"run {planned.id}: {planned.items} items", err=True)
    display = Display()
    last: list[RunProgress] = []

    def hear(standing: RunProgress) -> None:
        last[:] = [standing]
        display.show(standing)

    try:
        ended = run_until_ended(
            drive(config, database, planned, items, hear, retry_failed=retry_failed)
        )
    except (KeyboardInterrupt, typer.Exit, PipelineError):
        display.leave()
        _tell_how_to_go_on(planned, engine)
        raise
    finally:
        display.leave()
    _say_how_it_ended(ended, last[0] if last else None, engine, as_json=as_json)


def _say_how_it_ended(
    ended: Run, standing: RunProgress | None, engine: str, *, as_json: bool
) -> NoReturn:
    """Say how a run ended, and exit by it."""
    done, failed = (standing.done, standing.failed) if standing else (0, 0)
    good = done - failed
    if as_json:
        print(printable_json(_as_json(ended, standing)))
    else:
        _tell(ended, standing, good, engine)
    if ended.state in {"budget", "cancelled"}:
        raise typer.Exit(EXIT_STOPPED)
    if ended.state == "failed" or not good:
        raise typer.Exit(EXIT_FAILED)
    raise typer.Exit(EXIT_SOME if failed else 0)


def _as_json(ended: Run, standing: RunProgress | None) -> dict[str, object]:
    return {
        "run": ended.id,
        "state": ended.state,
        "items": ended.items,
        "done": standing.done if standing else 0,
        "failed": standing.failed if standing else 0,
        "repeated": standing.repeated if standing else 0,
        "spent_usd": standing.spent_usd if standing else 0.0,
        "error": ended.error,
        "value": ended.value,
    }


def _tell(ended: Run, standing: RunProgress | None, good: int, engine: str) -> None:
    spent = f", {standing.spent_usd:.4f} USD spent" if standing and standing.spent_usd else ""
    where = f"; written to {ended.options.out}" if ended.options.out else ""
    typer.echo(f"note: {good} of {ended.items} items have a value{spent}{where}", err=True)
    if standing and standing.failed:
        typer.echo(
            f"note: {standing.failed} failed; the `error` of each row says why, "
            f"`spadework pipeline logs {ended.id}` more",
            err=True,
        )
    if standing and standing.repeated:
        typer.echo(
            f"note: {standing.repeated} calls were under way when a process ended, "
            "and were made again",
            err=True,
        )
    if ended.state == "done":
        return
    typer.echo(f"{ended.state}: {ended.error or 'stopped before its end'}", err=True)
    _tell_how_to_go_on(ended, engine)


def _tell_how_to_go_on(run: Run, engine: str) -> None:
    """Say which command goes on with a run, in the same database; never a password."""
    from sqlalchemy import make_url  # noqa: PLC0415 - heavy

    where = make_url(engine).render_as_string(hide_password=True) if engine else ""
    more = f" --engine {quote(where)}" if where else ""
    typer.echo(f"to go on: spadework pipeline resume {run.id}{more}", err=True)
