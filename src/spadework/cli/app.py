"""The command `spadework`: the options that all commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from spadework import __version__
from spadework.cli.lazy_group import LazyGroup
from spadework.util.paths import CONFIG_VARIABLE

app = typer.Typer(
    name="spadework",
    cls=LazyGroup,
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
