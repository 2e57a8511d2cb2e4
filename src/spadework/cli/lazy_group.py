"""The commands by name; the file of a command is imported when it is called or completed."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter

COMMANDS = {
    "setup": "Find your models and register the tools with Claude Code.",
    "ask": "Ask a local model, with files by reference.",
    "each": "Ask the same question about each of many files or texts.",
    "models": "List every model of every backend.",
    "status": "Show what the daemon is doing.",
    "log": "Show what was delegated, newest first.",
    "mcp": "Serve the tools to an MCP client over standard streams.",
    "serve": "Serve the tools to MCP clients over HTTP, until Ctrl-C.",
    "worker": "Work on the runs of a Postgres until stopped.",
    "demo": "Delegate three real jobs to the embedded model.",
    "doctor": "Check that everything is in place.",
    "comply": "Check that the hard limits are kept.",
    "agents": "Show and set the models of Claude Code's agents.",
    "pipeline": "Run batch work outside a session.",
    "config": "Show, check and write the config file.",
    "cache": "Show and clear the cache of answers.",
    "embedded": "Fetch and choose models that need no server.",
    "daemon": "Start, stop and inspect the daemon.",
    "token": "Manage the bearer tokens of HTTP clients.",
    "litellm": "Write and check the config of a LiteLLM proxy.",
}
"""The commands in the order of the help, each with the line that the help shows of it."""


class _LazyCommands(MutableMapping[str, "Command"]):
    """The commands by name; each is imported when it is looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._loaded:
            module = import_module(f"spadework.cli.{name}")
            holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            if app := getattr(module, "app", None):
                holder.add_typer(app, name=name)
            else:
                holder.command(name=name)(getattr(module, name))
            self._loaded[name] = get_group(holder).commands[name]
        return self._loaded[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class LazyGroup(TyperGroup):
    """A group whose commands are in `spadework.cli.NAME`: the function NAME, or an `app`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _LazyCommands()

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names in the order of the help."""
        return list(self.commands)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the commands into the help without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
