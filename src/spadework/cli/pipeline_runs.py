"""`spadework pipeline list`, `show`, `cancel` and `logs`: the runs in the database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.console import local_time, print_table
from spadework.cli.options import Json, JsonLines
from spadework.cli.pipeline_context import EngineUrl, RunId, check_extra, opened_database
from spadework.pipelines.definition import find_pipeline, ready_names
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.cli.pipeline_context import PipelineContext
    from spadework.pipelines.claude_api.budget import Spend
    from spadework.pipelines.store.records import Run, Worker
    from spadework.pipelines.store.runs import Runs


def list_runs(
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many runs.")] = 20,
    ready: Annotated[
        bool, typer.Option("--ready", help="List the pipelines that come with Spadework.")
    ] = False,
    engine: EngineUrl = "",
    as_json: JsonLines = False,
) -> None:
    """List the newest runs: the state of each, and how many of its items are done."""
    if ready:
        _list_ready(as_json=as_json)
        return
    with opened_database(engine) as context:
        found = _described(context, context.runs.newest(number))
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
    check_extra()
    found = {name: find_pipeline(name).doc.partition("\n")[0] for name in ready_names()}
    if as_json:
        for name, does in found.items():
            print(json.dumps({"pipeline": name, "does": does}))
        return
    print_table(["pipeline", "what it does"], [[name, does] for name, does in found.items()])


def show(run_id: RunId, engine: EngineUrl = "", as_json: Json = False) -> None:
    """Show one run: its progress, its worker, its cost and its results."""
    with opened_database(engine) as context:
        run = context.runs.find(run_id)
        (told,) = _described(context, [run])
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


def cancel(run_id: RunId, engine: EngineUrl = "") -> None:
    """Stop a run wherever it is worked on; `resume` continues it."""
    with opened_database(engine) as context:
        runs = context.runs
        run = runs.find(run_id)
        if run.state != "running":
            typer.echo(f"note: the run {run_id} is {run.state}: nothing to stop", err=True)
            return
        runs.change(run_id, state="cancelled", error="cancelled by `spadework pipeline cancel`")
        runs.tell(run_id, "cancelled")
    typer.echo(f"cancelled {run_id}; `spadework pipeline resume {run_id}` continues it")


def logs(
    run_id: RunId,
    engine: EngineUrl = "",
    as_json: JsonLines = False,
) -> None:
    """Show what happened to a run: who worked on it, what failed, and why."""
    with opened_database(engine) as context:
        context.runs.find(run_id)
        for at, text in context.runs.log(run_id):
            if as_json:
                print(printable_json({"at": at, "text": text}))
            else:
                print(f"{local_time(at)}  {text}")


def _described(context: PipelineContext, chosen: Sequence[Run]) -> list[dict[str, object]]:
    from spadework.pipelines.claude_api.budget import Budget
    from spadework.pipelines.durable.worker_process import is_dead
    from spadework.pipelines.store.worker_table import Workers

    living = [one for one in Workers(context.database).all() if not is_dead(one)]
    budget = Budget(context.database.engine)
    return [_description(context.runs, run, living, budget.spent(run.id)) for run in chosen]


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
        "begun": local_time(run.created),
        "items": run.items,
        "done": counts.done,
        "failed": counts.failed,
        "repeated": counts.repeated,
        "spent_usd": spend.spent_usd,
        "lost_usd": spend.lost_usd,
        "workers": mine if run.state == "running" else [],
    }
