"""`spadework config path` and `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.console import print_table, say
from spadework.cli.options import Json
from spadework.config.loader import load_config
from spadework.config.source_positions import SourcePosition, locate
from spadework.config.toml_reader import read_text
from spadework.config.type_names import as_toml, dotted
from spadework.embedded.model_file import configured_model, threads_of
from spadework.storage.ledger import ledger_path
from spadework.util.paths import data_folder, user_config_file
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spadework.config.loader import LoadedConfig
    from spadework.config.models import Config


def path() -> None:
    """Print where the config file is."""
    file = user_config_file()
    print(file)
    if not file.exists():
        say("it is not there, so the defaults apply; `spadework config init` writes one")


def show(
    *,
    as_json: Json = False,
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
