"""`spadework config check`: what is wrong with the config file, and which models it trusts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.backends.registry import open_backends
from spadework.backends.trust_report import list_quickly, unknown_trust
from spadework.cli.async_runner import run
from spadework.cli.console import count, say
from spadework.cli.exit_codes import EXIT_USAGE
from spadework.config.api_keys import key_warnings
from spadework.config.loader import load_config, load_project_tools
from spadework.config.models import EMBEDDED
from spadework.errors import ConfigError
from spadework.util.paths import PROJECT_CONFIG_NAME

if TYPE_CHECKING:
    from spadework.backends.base import ModelInfo
    from spadework.config.loader import LoadedConfig
    from spadework.config.models import Config


def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="A config file, or a project's .spadework.toml. Default: yours."),
    ] = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the servers for their models.")
    ] = False,
) -> None:
    """Report what is wrong with the config file, and which API keys are not set.

    The servers are asked for their models, and models of unknown trust are named. Exits with 2 if
    the file is wrong.
    """
    try:
        if file and file.name == PROJECT_CONFIG_NAME and file.exists():
            tools = load_project_tools(file.parent, load_config().config)
            print(f"ok: {file}: {count(len(tools), 'tool')} for this project")
            return
        loaded = load_config(file)
    except ConfigError as error:
        for problem in error.problems:
            print(f"error: {problem}")
            if problem.hint:
                print(f"  hint: {problem.hint}")
        raise typer.Exit(EXIT_USAGE) from None
    _report_checked(loaded)
    if not offline:
        _report_trust(loaded.config)


def _report_checked(loaded: LoadedConfig) -> None:
    config = loaded.config
    counts = f"{count(len(config.backends), 'backend')}, {count(len(config.all_tools()), 'tool')}"
    there = "" if loaded.exists else " is not there, the defaults apply"
    print(f"ok: {loaded.path}{there}: {counts}")
    for name, backend in config.backends.items():
        for warning in key_warnings(backend, os.environ):
            print(f"warning: backends.{name}: {warning}")
    for place, rule in enumerate(config.projects):
        if not any(found.is_dir() for found in Path("/").glob(str(rule.path).lstrip("/"))):
            print(f"warning: projects[{place}]: no folder is {rule.path} now")


def _report_trust(config: Config) -> None:
    """Name the models that are not known to be local or a cloud's."""
    if not config.backends:
        return

    async def listed() -> dict[str, list[ModelInfo] | None]:
        backends = open_backends(config, os.environ)
        try:
            return await list_quickly({k: v for k, v in backends.items() if k != EMBEDDED})
        finally:
            for backend in backends.values():
                await backend.close()

    try:
        found = run(listed())
    except ConfigError:
        return  # a key's file is missing, which was said above
    for name, infos in found.items():
        if infos is None:
            say(f"note: backends.{name} did not list its models, so their trust is not known")
        elif problem := unknown_trust(infos):
            print(f"warning: backends.{name}: {problem[0]}")
            print(f"  hint: {problem[1]}")
