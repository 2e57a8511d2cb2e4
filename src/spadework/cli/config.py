"""`spadework config path`, `show` and `check`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.async_runner import run
from spadework.cli.console import count, print_table, say
from spadework.cli.exit_codes import EXIT_USAGE
from spadework.cli.options import Json
from spadework.config.api_keys import key_warnings
from spadework.config.loader import load_config
from spadework.config.source_positions import SourcePosition, locate
from spadework.config.toml_files import read_text
from spadework.config.type_names import as_toml, dotted
from spadework.embedded.model_file import configured_model, threads_of
from spadework.errors import ConfigError
from spadework.storage.ledger import ledger_path
from spadework.util.paths import PROJECT_CONFIG_NAME, data_folder, user_config_file
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spadework.backends.base import ModelInfo
    from spadework.config.loader import LoadedConfig
    from spadework.config.models import Config


def path() -> None:
    """Print where the config file is."""
    file = user_config_file()
    print(file)
    if not file.exists():
        say("it does not exist, so the defaults apply; `spadework config init` writes it")


def show(
    *,
    as_json: Json = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print a config file.")] = False,
) -> None:
    """Print every key, its value and its source."""
    loaded = load_config()
    if as_json:
        _print_json(loaded)
    elif as_toml:
        _print_toml(loaded)
    else:
        _print_table(loaded)


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
            from spadework.config.project_file import load_project_tools

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
    there = "" if loaded.exists else " does not exist, the defaults apply"
    print(f"ok: {loaded.path}{there}: {counts}")
    for name, backend in config.backends.items():
        for warning in key_warnings(backend, os.environ):
            print(f"warning: backends.{name}: {warning}")
    for place, rule in enumerate(config.projects):
        if not any(found.is_dir() for found in Path("/").glob(str(rule.path).lstrip("/"))):
            print(f"warning: projects[{place}]: no folder matches {rule.path}")


def _report_trust(config: Config) -> None:
    """Name the models that are not known to be local or a cloud's."""
    from spadework.backends.registry import list_quickly, open_backends, unknown_trust
    from spadework.config.models import EMBEDDED

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
            say(f"note: backends.{name} did not list its models, so their trust is unknown")
        elif problem := unknown_trust(infos):
            print(f"warning: backends.{name}: {problem[0]}")
            print(f"  hint: {problem[1]}")


def _print_json(loaded: LoadedConfig) -> None:

    figures = {
        "path": str(loaded.path),
        "exists": loaded.exists,
        "data": str(data_folder()),
        "config": _effective(loaded),
    }
    print(printable_json(figures, 2))


def _print_toml(loaded: LoadedConfig) -> None:
    import tomlkit

    print(tomlkit.dumps(_without_unset(_effective(loaded))), end="")


def _print_table(loaded: LoadedConfig) -> None:
    say(f"{loaded.path}" + ("" if loaded.exists else " does not exist, so the defaults apply"))
    places = locate(read_text(loaded.path)) if loaded.exists else SourcePosition(1)
    used = _used_where_unset(loaded.config)
    rows = [
        (
            dotted(key),
            "" if (shown := used.get(key) if value is None else value) is None else as_toml(shown),
            f"line {line}" if (line := places.line_of(key)) else "default",
        )
        for key, value in _leaves(_effective(loaded))
    ]
    print_table(("key", "value", "from"), rows)


def _used_where_unset(config: Config) -> dict[tuple[str, ...], str | int]:
    """Return what counts for the keys whose default depends on the machine."""
    return {
        ("embedded", "model"): str(configured_model(config.embedded).path),
        ("embedded", "threads"): threads_of(config.embedded),
        ("ledger", "path"): str(ledger_path(config)),
    }


def _effective(loaded: LoadedConfig) -> dict[str, Any]:
    """Return the whole config, defaults and default tools included, as plain data."""
    config = loaded.config
    return config.model_copy(update={"tools": config.all_tools()}).model_dump(mode="json")


def _leaves(
    table: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _without_unset(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_unset(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }
