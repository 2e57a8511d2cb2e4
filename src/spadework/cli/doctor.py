"""`spadework doctor`: is everything in place?"""

from __future__ import annotations

import os
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.async_runner import run
from spadework.cli.check_output import print_finding, print_json
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.errors import ArgumentError
from spadework.references.roots import current_folder
from spadework.util.finding import worst

if TYPE_CHECKING:
    from spadework.util.finding import Finding


def doctor(
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Prove windows and measure speed: asks each model that a tool names for a word "
            "at the start of a prompt as long as its window. Loads the models; takes minutes.",
        ),
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BACKEND/MODEL", help="With --probe: only this model. May be given again."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the client, the registration, the daemon, the config, backends, models, the ledger.

    Each line says ok, warning or error, and how to cure it. Exits with 1 at an error, with 0
    otherwise. In a pipe: tab-separated, no header: severity, code, where, what, cure.
    """
    if model and not probe:
        raise ArgumentError("--model chooses what --probe asks", hint="add --probe")
    found = run(_examine(probe=probe, models=tuple(model or ()), shows=not as_json))
    if as_json:
        print_json(found)
    if worst(found) == "error":
        raise typer.Exit(EXIT_FAILED)


async def _examine(*, probe: bool, models: tuple[str, ...], shows: bool) -> list[Finding]:
    from spadework.claude_code.doctor.examination import Examination, examine

    asked = Examination(
        project=current_folder(),
        environ=dict(os.environ),
        own_command=(sys.executable, "-m", "spadework", "mcp"),
        probe=probe,
        models=models,
        say=_say,
    )
    found = []
    async with aclosing(examine(asked)) as findings:
        async for finding in findings:
            found.append(finding)
            if shows:
                print_finding(finding)
    return found


def _say(what: str) -> None:
    typer.echo(f"… {what}", err=True)
