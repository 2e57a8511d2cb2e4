"""`spadework pipeline run` and `resume`: a run from its items to its results."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from spadework.cli.async_runner import run as run_until_ended
from spadework.cli.options import Json
from spadework.cli.pipeline_context import EngineUrl, RunId, open_database
from spadework.engine.job import Session
from spadework.errors import ArgumentError
from spadework.pipelines.run_options import (
    RunOptions,
    checked_id,
    checked_pipeline,
    default_inputs,
    new_id,
    new_run,
    settings_of,
    to_go_on_with,
    with_wishes,
)
from spadework.references.roots import current_folder

if TYPE_CHECKING:
    from spadework.cli.pipeline_context import PipelineContext
    from spadework.config.models import Config
    from spadework.pipelines.items import Item
    from spadework.pipelines.store.records import Run

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="Write the results to this JSON Lines file. {run} becomes the run's id.",
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

_MOST_LEFT_OUT = 10


def run(
    pipeline: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:NAME]", help="A pipeline's file, or the name of a built-in one."
        ),
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
        str,
        typer.Option(
            "--run", metavar="ID", help="The id of the run; an existing id resumes that run."
        ),
    ] = "",
    resume_it: Annotated[
        bool,
        typer.Option("--resume", help="Resume the newest unfinished run of this pipeline."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate the calls and the cost; ask no model.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="No item goes to a cloud model.")
    ] = False,
    no_claude: Annotated[
        bool, typer.Option("--no-claude", help="Do not ask Claude, even if a key is set.")
    ] = False,
    batch: Annotated[
        bool | None,
        typer.Option(
            "--batch", help="Ask Claude by the Message Batches API: half price, but slow."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the pipeline. Repeatable."),
    ] = None,
    engine: EngineUrl = "",
    as_json: Json = False,
) -> None:
    """Run a pipeline over many items; finished items are kept, so a run can be stopped and resumed.

    Exits with 0 if every item has a value, 4 if only some have, 1 if none has or the run failed,
    and 5 if it stopped at its budget or was cancelled.
    """
    context = open_database(engine)
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
    known = None if dry_run else to_go_on_with(context.runs, chosen, name, resume=resume_it)
    if known:
        if private and not context.runs.is_private(known.id):
            raise ArgumentError(
                f"--private: run {known.id} has items that are not private",
                hint="start a new run: pass a new --run id, without --resume",
            )
        if inputs:
            typer.echo(f"note: run {known.id} keeps its items; the inputs are ignored", err=True)
        _resume(context, known, wishes, engine, as_json=as_json)
    if resume_it and not dry_run:
        typer.echo("note: no run to resume; starting a new one", err=True)
    items = _items(inputs or default_inputs(name), context.config, private=private)
    planned = new_run(chosen or new_id(name), name, len(items), wishes, Path.cwd(), context.config)
    if dry_run:
        from spadework.cli.pipeline_execution import print_estimate

        print_estimate(context, planned, items, as_json=as_json)
    else:
        _drive(context, planned, items, engine, as_json=as_json)


def resume(
    run_id: RunId,
    out: Out = None,
    ordered: Ordered = None,
    budget_usd: Budget = None,
    concurrency: Concurrency = None,
    no_claude: Annotated[bool, typer.Option("--no-claude", help="Do not ask Claude.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change a setting of the pipeline. Repeatable."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry the failed items.")
    ] = False,
    engine: EngineUrl = "",
    as_json: Json = False,
) -> None:
    """Resume a run that was stopped, died or reached its budget; finished items are kept."""
    context = open_database(engine)
    wishes = RunOptions(
        out=out,
        ordered=ordered,
        budget_usd=_positive(budget_usd),
        concurrency=concurrency,
        uses_claude=False if no_claude else None,
        settings=settings_of(settings or []) or None,
    )
    known = context.runs.find(run_id)
    _resume(context, known, wishes, engine, as_json=as_json, retry_failed=retry_failed)


def _resume(
    context: PipelineContext,
    known: Run,
    wishes: RunOptions,
    engine: str,
    *,
    as_json: bool,
    retry_failed: bool = False,
) -> NoReturn:
    planned = replace(known, options=with_wishes(known.options, wishes, known.id))
    _drive(context, planned, None, engine, as_json=as_json, retry_failed=retry_failed)


def _drive(
    context: PipelineContext,
    planned: Run,
    items: tuple[Item, ...] | None,
    engine: str,
    *,
    as_json: bool,
    retry_failed: bool = False,
) -> NoReturn:
    from spadework.cli.pipeline_execution import drive_run

    url = context.database.shown_url if engine else ""
    drive_run(context, planned, items, url, as_json=as_json, retry_failed=retry_failed)


def _positive(budget_usd: float | None) -> float | None:
    if budget_usd is not None and not 0 < budget_usd < inf:
        raise ArgumentError(
            f"--budget-usd {budget_usd} is not a valid amount", hint="such as 2 or 0.50"
        )
    return budget_usd


def _items(inputs: list[str], config: Config, *, private: bool) -> tuple[Item, ...]:
    from spadework.pipelines.item_inputs import find_items

    session = Session(current_folder(), name="pipeline")
    listing = find_items(inputs, session, config, stdin=sys.stdin, private=private)
    found = run_until_ended(listing)
    for one in found.left_out[:_MOST_LEFT_OUT]:
        typer.echo(f"skipped: {one.path}: {one.reason}", err=True)
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    if len(found.left_out) > _MOST_LEFT_OUT:
        typer.echo(f"skipped: {len(found.left_out) - _MOST_LEFT_OUT} more", err=True)
    return found.items
