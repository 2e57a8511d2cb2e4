"""The command `spadework`: its groups and what they share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from spadework import __version__
from spadework.cli import (
    agents,
    ask,
    cache,
    comply,
    config,
    daemon,
    demo,
    doctor,
    each,
    embedded,
    litellm,
    log,
    mcp,
    models,
    pipeline,
    serve,
    setup,
    status,
    token,
    worker,
)
from spadework.util.paths import CONFIG_VARIABLE

app = typer.Typer(
    name="spadework",
    help="Hand bounded work to the models on your own machines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"spadework {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Use this config file."),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    if config_file is not None:
        # Child processes and every loader see the same choice.
        os.environ[CONFIG_VARIABLE] = str(config_file.absolute())


app.command(name="setup")(setup.setup)
app.command(name="ask")(ask.ask)
app.command(name="each")(each.each)
app.command(name="models")(models.models)
app.command(name="status")(status.status)
app.command(name="log")(log.log)
app.command(name="mcp")(mcp.mcp)
app.command(name="serve")(serve.serve)
app.command(name="worker")(worker.worker)
app.command(name="demo")(demo.demo)
app.command(name="doctor")(doctor.doctor)
app.command(name="comply")(comply.comply)
app.add_typer(agents.app, name="agents")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(config.app, name="config")
app.add_typer(cache.app, name="cache")
app.add_typer(embedded.app, name="embedded")
app.add_typer(daemon.app, name="daemon")
app.add_typer(token.app, name="token")
app.add_typer(litellm.app, name="litellm")
