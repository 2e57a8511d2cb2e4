"""`spadework pipeline`: batch work outside a session."""

from __future__ import annotations

import typer

from spadework.cli import pipeline_new, pipeline_run, pipeline_runs, pipeline_schedule

app = typer.Typer(
    help="Batch work outside a session: local models do the bulk, Claude by your key the rest.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command(name="new")(pipeline_new.new)
app.command(name="run")(pipeline_run.run)
app.command(name="resume")(pipeline_run.resume)
app.command(name="list")(pipeline_runs.list_runs)
app.command(name="show")(pipeline_runs.show)
app.command(name="cancel")(pipeline_runs.cancel)
app.command(name="logs")(pipeline_runs.logs)
app.command(name="schedule")(pipeline_schedule.schedule)
