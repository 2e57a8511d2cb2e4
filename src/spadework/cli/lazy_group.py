"""The tree of commands; the file of a command is imported when it runs or shows its own help."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer._click.core import Command as ClickCommand
from typer._click.shell_completion import CompletionItem
from typer.core import TyperGroup
from typer.main import get_group

from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its function, as `MODULE:FUNCTION` below `spadework.cli`, and its line of help."""

    function: str
    help: str


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """Commands under one name, with the group's line of help and the extra that they need."""

    help: str
    commands: Mapping[str, Command]
    extra: str = ""


COMMANDS: Mapping[str, Command | CommandGroup] = {
    "setup": Command("setup:setup", "Find your models and register the tools with Claude Code."),
    "ask": Command("ask:ask", "Ask a local model, with files by reference."),
    "each": Command("each:each", "Ask the same question about each of many files or texts."),
    "models": Command("models:models", "List every model of every backend."),
    "status": Command("status:status", "Show what the daemon is doing."),
    "log": Command("log:log", "Show what was delegated, newest first."),
    "mcp": Command("serve:mcp", "Serve the tools to an MCP client over standard streams."),
    "serve": Command("serve:serve", "Serve the tools to MCP clients over HTTP, until Ctrl-C."),
    "worker": Command("worker:worker", "Work on the runs of a Postgres until stopped."),
    "demo": Command("demo:demo", "Delegate three real jobs to the embedded model."),
    "doctor": Command("doctor:doctor", "Check that everything is in place."),
    "comply": Command("comply:comply", "Check that the hard limits are kept."),
    "agents": CommandGroup(
        "Show and set the models of Claude Code's agents.",
        {
            "list": Command("agents:list_agents", "List every agent and what it runs on."),
            "lint": Command("agents:lint", "Say what is wrong with agents and skills."),
            "suggest": Command("agents:suggest_models", "Suggest a model for each agent."),
            "set": Command("agents_editing:set_model", "Set an agent's model."),
            "undo": Command("agents_editing:undo", "Undo the last change of agent files."),
            "new": Command("agents_editing:new", "Make an explorer, or a courier to local models."),
            "copy": Command("agents_editing:copy", "Copy an agent to a file of your own."),
        },
    ),
    "pipeline": CommandGroup(
        "Run batch work outside a session: local models do the bulk, Claude the rest.",
        {
            "new": Command("pipeline_new:new", "Write a pipeline of your own, and its tests."),
            "run": Command("pipeline_run:run", "Run a pipeline over many items."),
            "resume": Command("pipeline_run:resume", "Continue a run that stopped or died."),
            "list": Command("pipeline_runs:list_runs", "List the newest runs."),
            "show": Command("pipeline_runs:show", "Show one run."),
            "cancel": Command("pipeline_runs:cancel", "Stop a run wherever it is worked on."),
            "logs": Command("pipeline_runs:logs", "Show what happened to a run."),
            "schedule": Command("pipeline_schedule:schedule", "Run a pipeline at set times."),
        },
        extra="pipelines",
    ),
    "config": CommandGroup(
        "Show, check and write the config file.",
        {
            "path": Command("config:path", "Print where the config file is."),
            "show": Command("config:show", "Print every key and its value."),
            "check": Command("config:check", "Report what is wrong with the config file."),
            "init": Command("config_init:init", "Find model servers and write a config file."),
        },
    ),
    "cache": CommandGroup(
        "Show and clear the cache of answers.",
        {
            "show": Command("cache:show", "Print where the cache is and how much it holds."),
            "clear": Command("cache:clear", "Delete every cached answer."),
        },
    ),
    "embedded": CommandGroup(
        "Fetch and choose models that need no server.",
        {
            "install": Command("embedded:install", "Fetch the demonstration model."),
            "pull": Command("embedded:pull", "Fetch a better model."),
            "use": Command("embedded:use_model", "Choose the embedded model."),
            "list": Command("embedded:list_models", "List the models in the data folder."),
            "remove": Command("embedded:remove", "Delete a model from the data folder."),
        },
    ),
    "daemon": CommandGroup(
        "Start, stop and inspect the daemon, the one process behind every window.",
        {
            "start": Command("daemon:start", "Start the daemon in the background."),
            "stop": Command("daemon:stop", "Stop the daemon."),
            "status": Command("daemon:status", "Show the daemon's process and its windows."),
            "logs": Command("daemon:logs", "Show the end of the daemon's log."),
            "run": Command("daemon:run", "Run the daemon in the foreground."),
            "install": Command("daemon:install", "Make the daemon a service of your session."),
        },
    ),
    "token": CommandGroup(
        "Manage the bearer tokens of HTTP clients.",
        {
            "new": Command("token:new", "Make a token and print it once."),
            "list": Command("token:list_tokens", "List the tokens by name."),
            "revoke": Command("token:revoke", "Delete a token."),
        },
    ),
    "litellm": CommandGroup(
        "Write and check the config of a LiteLLM proxy.",
        {
            "config": Command("litellm:config", "Print the config for the models there are."),
            "check": Command("litellm:check", "Check a LiteLLM proxy or its config."),
        },
    ),
}
"""The commands in the order of the help."""


class _LazyCommands(MutableMapping[str, ClickCommand]):
    """The commands by name; each is imported when it is looked up."""

    def __init__(self, entries: Mapping[str, Command | CommandGroup], extra: str) -> None:
        self._entries = entries
        self._extra = extra
        self._loaded: dict[str, ClickCommand] = {}

    def __getitem__(self, name: str) -> ClickCommand:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._entries[name], self._extra)
        return self._loaded[name]

    def __setitem__(self, name: str, command: ClickCommand) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _load(name: str, entry: Command | CommandGroup, extra: str) -> ClickCommand:
    if isinstance(entry, CommandGroup):
        return LazyGroup(
            entry.commands,
            entry.extra,
            name=name,
            help=entry.help,
            no_args_is_help=True,
            rich_markup_mode=None,
        )
    module, _, function = entry.function.partition(":")
    try:
        loaded = import_module(f"spadework.cli.{module}")
    except ModuleNotFoundError as error:
        if not extra or (error.name or "").startswith("spadework"):
            raise
        raise missing_extra(extra) from error
    holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    holder.command(name=name)(getattr(loaded, function))
    return get_group(holder).commands[name]


def missing_extra(extra: str) -> ArgumentError:
    """Say how to install an extra that a command needs."""
    return ArgumentError(
        f"this command needs the extra `{extra}`",
        hint=f"name it in the brackets when you install: 'spadework[embedded,{extra}]'",
    )


class LazyGroup(TyperGroup):
    """A group that imports a command only to run it or to show its own help."""

    def __init__(
        self,
        entries: Mapping[str, Command | CommandGroup] = COMMANDS,
        extra: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._entries = entries
        self.commands = _LazyCommands(entries, extra)

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names in the order of the help."""
        return list(self._entries)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the commands into the help without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._entries.items()])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands without importing any, and the options."""
        names = [
            CompletionItem(name, help=entry.help)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ]
        return [*names, *ClickCommand.shell_complete(self, ctx, incomplete)]
