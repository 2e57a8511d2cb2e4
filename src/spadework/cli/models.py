"""`spadework models`: what there is to delegate to."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.async_runner import run
from spadework.cli.console import print_table
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import InProcess, Json
from spadework.config.confidential_folders import ConfidentialFolders
from spadework.config.loader import load_config
from spadework.engine.tools import user_tools
from spadework.errors import ArgumentError, ConfigError
from spadework.references.roots import current_folder
from spadework.util.untrusted_text import display_name, printable_json

if TYPE_CHECKING:
    from spadework.engine.model_inventory import ModelInventory


def models(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--for",
            metavar="DIR",
            help="List only the models that may see the files of this folder.",
        ),
    ] = None,
    in_process: InProcess = False,
    as_json: Json = False,
) -> None:
    """List every model of every backend now: trust, window, loaded or not, and which tools use it.

    Trust says whether a model runs on your own machines: local, cloud or unknown (docs/trust.md).
    On a narrow terminal the sources are left out and long cells are cut (…). In a pipe:
    tab-separated, uncut, no header: model, window, learned from, state, tools, note, trust,
    trust learned from.
    """
    project = _folder(folder) if folder is not None else None
    survey = run(_survey(project, daemon=False if in_process else None))
    confidential = ""
    if folder is not None:
        confidential = _confidential_reason(folder)
        survey = _that_could_see(survey, confidential=bool(confidential))
    if as_json:
        print(printable_json(_as_data(survey, confidential), 2))
    else:
        _print_table(survey)
        if folder is not None:
            typer.echo(f"note: {_what_holds(folder, confidential)}", err=True)
    if survey.failed and not survey.models:
        raise typer.Exit(EXIT_FAILED)


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ArgumentError(f"--for {folder}: not a folder", hint="name a folder that exists")
    return folder.absolute()


async def _survey(project: Path | None, *, daemon: bool | None) -> ModelInventory:
    from spadework.remote.remote_engine import RemoteEngine

    async with RemoteEngine(load_config().config, daemon=daemon) as engine:
        try:
            tools = engine.tools(project or current_folder())
        except ConfigError as error:  # the project's own file; yours has been read
            if project is None:
                raise
            typer.echo(f"note: {error}", err=True)
            tools = user_tools(engine.config)
        return await engine.survey(tools)


def _confidential_reason(folder: Path) -> str:
    return ConfidentialFolders.of(load_config().config).reason(folder)


def _what_holds(folder: Path, confidential: str) -> str:
    if confidential:
        return f"{confidential}; local models only"
    private = load_config().config.references.private
    more = f"; files that match {', '.join(private)} go to local models only" if private else ""
    return f"{folder} is not confidential{more}"


def _that_could_see(survey: ModelInventory, *, confidential: bool) -> ModelInventory:
    """Leave out the models that no tool would send the folder's files to."""
    seeing = (
        model
        for model in survey.models
        if model.trust == "local" or (not confidential and survey.tools_of(model))
    )
    return replace(survey, models=tuple(seeing))


def _as_data(survey: ModelInventory, confidential: str) -> dict[str, object]:
    return {
        "models": [
            asdict(model) | {"id": model.id, "tools": survey.tools_of(model)}
            for model in survey.models
        ],
        "failed": [asdict(one) for one in survey.failed],
        "confidential": confidential,
        "warnings": list(survey.warnings),
    }


def _print_table(survey: ModelInventory) -> None:
    states = {True: "loaded", False: "not loaded", None: ""}
    rows = [
        [
            display_name(model.id),
            str(model.window or "unknown"),
            model.window_source,
            states[model.loaded],
            ", ".join(survey.tools_of(model)),
            "; ".join(model.remarks),
            model.trust,
            model.trust_source,
        ]
        for model in survey.models
    ]
    header = ["model", "window", "learned from", "state", "tools", "note", "trust", "trusted by"]
    print_table(header, rows, spare=["trusted by", "learned from"])
    for one in survey.failed:
        typer.echo(f"{display_name(one.model)}: not available: {one.message}", err=True)
    for warning in survey.warnings:
        typer.echo(warning, err=True)
