"""`spadework pipeline list`, `show`, `cancel` and `logs`: the runs that there are."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.console import printable_json
from spadework.cli.pipeline_context import check_extra, opened_runs
from spadework.cli.pipeline_run import AsJson, Engine  # noqa: TC001 - typer reads them
from spadework.cli.table import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.pipelines.claude_api.budget import Spend
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Run, Worker
    from spadework.pipelines.store.runs import Runs

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


def list_runs(
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many runs.")] = 20,
    ready: Annotated[
        bool, typer.Option("--ready", help="List the pipelines that come with Spadework.")
    ] = False,
    engine: Engine = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the newest runs: the state of each, and how many of its items are done."""
    if ready:
        _list_ready(as_json=as_json)
        return
    with opened_runs(engine) as (_, database, runs):
        found = _described(database, runs, runs.newest(number))
    if as_json:
        for one in found:
            print(printable_json(one))
        return
    if not found:
        typer.echo("note: no runs yet; `spadework pipeline run` starts one", err=True)
        return
    rows = [
        [
            f"{one['run']}",
            f"{one['state']}",
            f"{one['done']}/{one['items']}",
            f"{one['failed'] or ''}",
            f"{one['begun']}",
            f"{one['pipeline']}",
        ]
        for one in found
    ]
    print_table(["run", "state", "done", "failed", "begun", "pipeline"], rows)


def _list_ready(*, as_json: bool) -> None:
    from spadework.pipelines.definition import find_pipeline, ready_names  # noqa: PLC0415 - heavy

    check_extra()
    found = {name: find_pipeline(name).doc.partition("\n")[0] for name in ready_names()}
    if as_json:
        for name, does in found.items():
            print(json.dumps({"pipeline": name, "does": does}))
        return
    print_table(["pipeline", "what it does"], [[name, does] for name, does in found.items()])


def show(run_id: RunId, engine: Engine = "", as_json: AsJson = False) -> None:
    """Show one run: its progress, its worker, its cost and its results."""
    with opened_runs(engine) as (_, database, runs):
        run = runs.find(run_id)
        (told,) = _described(database, runs, [run])
        told |= {"options": asdict(run.options), "error": run.error, "value": run.value}
    if as_json:
        print(printable_json(told))
        return
    for name, value in told.items():
        if name == "options":
            _print_options(run)
        elif value not in {None, "", 0} if not isinstance(value, list | dict) else value:
            print(f"{name}: {_text(value)}")


def _print_options(run: Run) -> None:
    options = run.options
    print(f"project: {options.project}")
    if options.out:
        print(f"results: {options.out}")
    if options.budget_usd is not None:
        print(f"budget_usd: {options.budget_usd}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cancel(run_id: RunId, engine: Engine = "") -> None:
    """Stop a run wherever it is worked on; `resume` goes on with it."""
    with opened_runs(engine) as (_, _database, runs):
        run = runs.find(run_id)
        if run.state != "running":
            typer.echo(f"note: the run {run_id} is {run.state}: there is nothing to stop", err=True)
            return
        runs.change(run_id, state="cancelled", error="cancelled by `spadework pipeline cancel`")
        runs.tell(run_id, "cancelled")
    typer.echo(f"cancelled {run_id}; `spadework pipeline resume {run_id}` goes on with it")


def logs(
    run_id: RunId,
    engine: Engine = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show what happened to a run: who worked on it, what failed and why, what stood in."""
    with opened_runs(engine) as (_, _database, runs):
        runs.find(run_id)
        for at, text in runs.log(run_id):
            if as_json:
                print(printable_json({"at": at, "text": text}))
            else:
                print(f"{_moment(at)}  {text}")


def _described(database: Database, runs: Runs, chosen: Sequence[Run]) -> list[dict[str, object]]:
    from spadework.pipelines.claude_api.budget import Budget  # noqa: PLC0415 - heavy
    from spadework.pipelines.durable.worker_process import is_dead  # noqa: PLC0415 - as above
    from spadework.pipelines.store.worker_table import Workers  # noqa: PLC0415 - as above

    living = [one for one in Workers(database).all() if not is_dead(one)]
    purse = Budget(database.engine)
    return [_description(runs, run, living, purse.spent(run.id)) for run in chosen]


def _description(runs: Runs, run: Run, living: Sequence[Worker], spend: Spend) -> dict[str, object]:
    counts = runs.counts(run.id)
    mine = [f"{one.host} (process {one.pid})" for one in living if one.run in {run.id, ""}]
    state: str = run.state
    if state == "running" and not mine:
        state = "interrupted"
    return {
        "run": run.id,
        "state": state,
        "pipeline": run.pipeline,
        "begun": _moment(run.created),
        "items": run.items,
        "done": counts.done,
        "failed": counts.failed,
        "repeated": counts.repeated,
        "spent_usd": spend.spent_usd,
        "lost_usd": spend.lost_usd,
        "workers": mine if run.state == "running" else [],
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
