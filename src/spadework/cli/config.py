"""`spadework config`: show, find, check and write the config file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.console import count, printable_json, say
from spadework.cli.exit_codes import EXIT_USAGE
from spadework.cli.table import print_table
from spadework.config.api_keys import key_warnings
from spadework.config.loader import load_config
from spadework.config.toml_files import read_text, write_config
from spadework.config.type_names import as_toml, dotted
from spadework.embedded.model_file import configured_model, threads_of
from spadework.errors import ArgumentError, ConfigError
from spadework.util.paths import PROJECT_CONFIG_NAME, data_folder, user_config_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spadework.backends.base import ModelInfo
    from spadework.config.loader import LoadedConfig
    from spadework.config.models import Config

app = typer.Typer(help="Show, check and write the config file.", no_args_is_help=True)


@app.command()
def path() -> None:
    """Print where the config file is."""
    file = user_config_file()
    print(file)
    if not file.exists():
        say("it is not there, so the defaults apply; `spadework config init` writes one")


@app.command()
def show(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print a config file.")] = False,
) -> None:
    """Print every key, its value and where that comes from."""
    loaded = load_config()
    if as_json:
        _print_json(loaded)
    elif as_toml:
        _print_toml(loaded)
    else:
        _print_table(loaded)


@app.command()
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
    """Say everything that is wrong with the config file, and which keys are not at hand.

    The servers are asked for their models, and those of unknown trust are named. Exits with 2 if
    the file is wrong.
    """
    try:
        if file and file.name == PROJECT_CONFIG_NAME and file.exists():
            from spadework.config.project_file import load_project_tools  # noqa: PLC0415 - pydantic

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


@app.command()
def init(
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Look at this host too: NAME, NAME:PORT or http://NAME:PORT. May be given again."
        ),
    ] = None,
    port: Annotated[
        list[int] | None,
        typer.Option(help="Look at this port instead of the usual ones. May be given again."),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask: send LiteLLM its key if it is set, write the file."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file; a copy stays beside it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the file.")] = False,
) -> None:
    """Look for model servers and write a config file that uses them."""
    from spadework.cli.server_search import find_servers, sets_nothing  # noqa: PLC0415 - keeps --help fast
    from spadework.discovery.starter_file import (  # noqa: PLC0415 - keeps --help fast
        WHOLE_LIST,
        left_out,
        starter,
    )

    file = user_config_file()
    if os.path.lexists(file) and not (force or dry_run or sets_nothing(file)):
        raise ConfigError(
            f"{file} is already there",
            hint="--force replaces it and keeps a copy; --dry-run only shows the new one",
        )
    servers, looked = find_servers(host or [], port or [], ask=not yes)
    text = starter(servers, looked, os.environ)
    print(text)
    for tool, rest in left_out(servers).items():
        say(f"{count(rest, 'more model')} for {tool} are not in the file: {WHOLE_LIST}")
    if dry_run:
        return
    if not (yes or sys.stdin.isatty()):
        raise ArgumentError(
            "nobody is there to ask whether this file may be written", hint="add --yes"
        )
    if not yes and not typer.confirm(f"Write this to {file}?", default=True, err=True):
        raise typer.Exit(1)
    backup = write_config(file, text)
    say(f"wrote {file}" + (f"; the one before is {backup}" if backup else ""))
    if not servers:
        say("no server was found: `spadework embedded install` fetches the demonstration model")


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
    from spadework.config.models import EMBEDDED  # noqa: PLC0415 - pydantic is heavy

    if not config.backends:
        return
    import asyncio  # noqa: PLC0415 - only `check` needs it

    from spadework.backends.registry import (  # noqa: PLC0415 - heavy
        list_quickly,
        open_backends,
        unknown_trust,
    )

    async def listed() -> dict[str, list[ModelInfo] | None]:
        backends = open_backends(config, os.environ)
        try:
            return await list_quickly({k: v for k, v in backends.items() if k != EMBEDDED})
        finally:
            for backend in backends.values():
                await backend.close()

    try:
        found = asyncio.run(listed())
    except ConfigError:
        return  # a key's file is missing, which was said above
    for name, infos in found.items():
        if infos is None:
            say(f"note: backends.{name} did not list its models, so their trust is not known")
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
    import tomlkit  # noqa: PLC0415 - only `show` needs it

    print(tomlkit.dumps(_without_unset(_effective(loaded))), end="")


def _print_table(loaded: LoadedConfig) -> None:
    from spadework.config.source_positions import (  # noqa: PLC0415 - tomllib
        SourcePosition,
        locate,
    )

    say(f"{loaded.path}" + ("" if loaded.exists else " is not there, so the defaults apply"))
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
    from spadework.storage.ledger import ledger_path  # noqa: PLC0415 - as above

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
