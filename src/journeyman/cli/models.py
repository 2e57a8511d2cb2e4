"""`journeyman models`: what there is to delegate to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import EXIT_FAILED
from journeyman.cli.running import run
from journeyman.cli.telling import display_name, printable_json

if TYPE_CHECKING:
    from journeyman.engine.engine import Survey


def models(
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Work without the daemon, even if it runs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every model of every backend now: window, loaded or not, and which tools use it.

    A narrow terminal leaves out where the window was learnt from, and cuts long cells (…). In a
    pipe: tab-separated, no header, whole: model, window, learnt from, state, tools, note.
    """
    survey = run(_survey(daemon=False if in_process else None))
    if as_json:
        print(printable_json(_as_data(survey), 2))
    else:
        _print_table(survey)
    if survey.failed and not survey.models:
        raise typer.Exit(EXIT_FAILED)


async def _survey(*, daemon: bool | None) -> Survey:
    from journeyman.api import current_folder  # noqa: PLC0415 - heavy
    from journeyman.config.load import load_config  # noqa: PLC0415 - heavy
    from journeyman.remote.engine import RemoteEngine  # noqa: PLC0415 - heavy

    async with RemoteEngine(load_config().config, daemon=daemon) as engine:
        return await engine.survey(engine.tools(current_folder()))


def _as_data(survey: Survey) -> dict[str, object]:
    return {
        "models": [
            asdict(model) | {"id": model.id, "tools": survey.tools_of(model)}
            for model in survey.models
        ],
        "failed": [asdict(one) for one in survey.failed],
        "warnings": list(survey.warnings),
    }


def _print_table(survey: Survey) -> None:
    from journeyman.cli.table import print_table  # noqa: PLC0415 - heavy

    states = {True: "loaded", False: "not loaded", None: ""}
    rows = [
        [
            display_name(model.id),
            str(model.window or "unknown"),
            model.window_source,
            states[model.loaded],
            ", ".join(survey.tools_of(model)),
            model.note,
        ]
        for model in survey.models
    ]
    header = ["model", "window", "learnt from", "state", "tools", "note"]
    print_table(header, rows, spare=["learnt from"])
    for one in survey.failed:
        typer.echo(f"{display_name(one.model)}: not available: {one.message}", err=True)
    for warning in survey.warnings:
        typer.echo(warning, err=True)
