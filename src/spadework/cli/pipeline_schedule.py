"""`spadework pipeline schedule`: a run at set times, by systemd or cron."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from spadework.cli.options import Json
from spadework.cli.pipeline_context import check_extra
from spadework.cli.pipeline_run import run
from spadework.daemon.service_units import user_units
from spadework.errors import ArgumentError
from spadework.pipelines.schedules.cron import read_cron
from spadework.pipelines.schedules.installation import (
    install_line,
    line_of,
    remove_line,
    remove_units,
    start_command,
    stop_command,
    unit_name,
    units_of,
    write_units,
)
from spadework.pipelines.schedules.schedule import name_of, schedule_of

if TYPE_CHECKING:
    from spadework.pipelines.schedules.schedule import Schedule

_SHOWN_TIMES = 3


def schedule(
    pipeline: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A pipeline's file, or the name of a built-in one."),
    ],
    cron: Annotated[
        str, typer.Argument(metavar="CRON", help="When: '30 6 * * MON-FRI', @daily, @hourly.")
    ] = "",
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- ARGUMENTS…]", help="Arguments for `pipeline run NAME`."),
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Install it.")] = False,
    crontab: Annotated[
        bool, typer.Option("--crontab", help="Use cron instead of a systemd timer.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it.")] = False,
    as_json: Json = False,
) -> None:
    """Run a pipeline at set times: print or install a systemd timer or a cron line.

    It starts in the current folder. Each start is a new run, unless --run names one to resume.
    """
    check_extra()
    if remove:
        _remove(pipeline)
        return
    if not cron:
        raise ArgumentError(
            "missing schedule", hint="pass a cron expression such as '30 6 * * MON-FRI' or @daily"
        )
    given = _read_as_run(pipeline, arguments or [])
    planned = schedule_of(
        pipeline, read_cron(cron), arguments or [], out=given["out"], run=given["run_id"]
    )
    if as_json:
        print(json.dumps(_as_json(planned)))
    elif not install:
        _show(planned, crontab=crontab)
    if install:
        _install(planned, crontab=crontab)
    if not as_json:
        typer.echo(f"next: {', '.join(_next(planned))}", err=True)


def _read_as_run(pipeline: str, arguments: list[str]) -> dict[str, Any]:
    """Read the arguments as `pipeline run` will: errors are reported now, not at night."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(run)
    words = [pipeline, *arguments]
    return get_command(alone).make_context("spadework pipeline run", words).params


def _next(planned: Schedule) -> list[str]:
    times = planned.cron.next_times(datetime.now().astimezone(), _SHOWN_TIMES)
    return [one.strftime("%Y-%m-%d %H:%M") for one in times]


def _as_json(planned: Schedule) -> dict[str, object]:
    return {
        "name": planned.name,
        "cron": planned.cron.text,
        "crontab": line_of(planned),
        "units": {str(path): text for path, text in units_of(planned).items()},
        "next": _next(planned),
    }


def _show(planned: Schedule, *, crontab: bool) -> None:
    if crontab:
        print(line_of(planned))
        return
    for path, text in units_of(planned).items():
        print(f"# {path}\n{text}")
    print(f"# then: {start_command(planned.name)}")


def _install(planned: Schedule, *, crontab: bool) -> None:
    if crontab:
        before = install_line(planned)
        typer.echo(f"installed a line for {planned.name} in your crontab", err=True)
        if before:
            typer.echo(f"note: the previous crontab is kept as {before}", err=True)
        return
    for kept in write_units(planned):
        typer.echo(f"note: the previous file is kept as {kept}", err=True)
    for path in units_of(planned):
        typer.echo(f"wrote {path}", err=True)
    _systemctl(start_command(planned.name))


def _remove(pipeline: str) -> None:
    name = name_of(pipeline)
    if (user_units() / f"{unit_name(name)}.timer").exists():
        _systemctl(stop_command(name))
    gone = [str(path) for path in remove_units(name)]
    if remove_line(name):
        gone.append("a line of your crontab")
    if not gone:
        typer.echo(f"note: nothing is scheduled for {name}", err=True)
    for one in gone:
        typer.echo(f"removed {one}", err=True)


def _systemctl(command: str) -> None:
    """Run it; without a systemd user instance, say what to run."""
    try:
        done = subprocess.run(  # noqa: S602 - our own words and a checked name
            command, shell=True, capture_output=True, timeout=30, check=False
        )
        worked = done.returncode == 0
    except subprocess.TimeoutExpired:
        worked = False
    typer.echo(f"ran: {command}" if worked else f"now run: {command}", err=True)
