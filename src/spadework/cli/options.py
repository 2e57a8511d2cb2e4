"""Options that several commands share, and what the shell completes for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.async_runner import run
from spadework.config.loader import load_config
from spadework.errors import ArgumentError, SpadeworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spadework.engine.tools import Tool
    from spadework.remote.remote_engine import RemoteEngine

DEFAULT_TOOL = "ask_local_llama"
_COMPLETION_SECONDS = 1.0


def complete_from(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Make a completion that offers fixed names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def complete_tools(incomplete: str) -> list[str]:
    """Offer the user's tools and the project's."""
    return complete_from(_tools())(incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Offer the models that the tools name, and all that a running daemon lists, aliases too."""
    named = [model for tool in _tools().values() for model in tool.config.models]
    return complete_from(dict.fromkeys([*named, *_listed()]))(incomplete)


ToolOption = Annotated[
    str,
    typer.Option(
        "--tool", "-t", metavar="TOOL", help="Ask through this tool.", autocompletion=complete_tools
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Ask this model: backend/model, or a pattern.",
        autocompletion=complete_models,
    ),
]
MaxTokens = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Limit the answer to this many tokens.")
]
Private = Annotated[
    bool, typer.Option("--private", help="Send nothing to a model that is not local.")
]
InProcess = Annotated[
    bool, typer.Option("--in-process", help="Work without the daemon, even if it runs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def read_schema(given: str) -> dict[str, Any]:
    """Read the value of `--schema`: a JSON Schema, or the file that holds it.

    Raises:
        ArgumentError: it cannot be read, or is not a JSON Schema.
    """
    text, where = given, "--schema"
    if not given.lstrip().startswith("{"):
        where = f"--schema {given}"
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not valid UTF-8"
            hint = "pass a file, or the JSON Schema itself, which begins with {"
            raise ArgumentError(f"{where}: cannot be read: {reason}", hint=hint) from None
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{where} is not valid JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ArgumentError(f"{where} is not a JSON Schema", hint="expected an object: {…}")
    return schema


def _listed() -> list[str]:
    """Ask the daemon if one runs; no other server is asked, and it must answer soon."""

    async def names() -> list[str]:
        async with _engine() as engine:
            found = await engine.survey({})
        return [name for model in found.models if not model.route for name in model.ids]

    try:
        return run(names(), time_limit=_COMPLETION_SECONDS)
    except (SpadeworkError, OSError):  # TimeoutError is an OSError
        return []


def _tools() -> dict[str, Tool]:
    """Load the tools; none where the config is wrong, which the command itself will report."""
    try:
        return _engine().tools(Path.cwd())
    except (SpadeworkError, OSError):
        return {}


def _engine() -> RemoteEngine:
    from spadework.remote.remote_engine import RemoteEngine

    return RemoteEngine(load_config().config, daemon=True)
