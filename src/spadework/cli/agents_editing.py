"""The commands of `spadework agents` that write: shown first, asked, to be undone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.claude_code.agents.agent_models import ALIASES
from spadework.claude_code.agents.inventory import agent_inventory
from spadework.claude_code.agents.new_agents import (
    checked_model,
    copied,
    find_agent,
    model_change,
    new_agent,
    text_of,
)
from spadework.claude_code.undo_journal import UndoJournal
from spadework.cli.agents_output import print_diff
from spadework.cli.console import confirm
from spadework.util.atomic_files import keep_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.undo_journal import FileChange


class AgentScope(StrEnum):
    """Whose agents: the folder of agent files that is meant."""

    USER = "user"
    PROJECT = "project"


class AgentKind(StrEnum):
    """The agents that come with Spadework."""

    EXPLORER = "explorer"
    COURIER = "courier"


def _names(incomplete: str) -> list[str]:
    names = dict.fromkeys(
        one.name for one in agent_inventory().agents if one.name and not one.dropped
    )
    return [name for name in names if name.startswith(incomplete)]


def _models(incomplete: str) -> list[str]:
    return [name for name in ALIASES if name.startswith(incomplete)]


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be written.")]
_Name = Annotated[str, typer.Argument(help="The agent's name.", autocompletion=_names)]
_Model = Annotated[
    str, typer.Argument(help="haiku, sonnet, opus, inherit or a full id.", autocompletion=_models)
]
_Scope = Annotated[AgentScope, typer.Option(help="Write it for you, or for this project.")]
_NewName = Annotated[str, typer.Option("--name", help="What it is called. Default: as it is.")]
_Force = Annotated[bool, typer.Option("--force", help="Replace the file; a copy stays beside it.")]


def set_model(
    name: _Name,
    model: _Model,
    *,
    scope: Annotated[
        AgentScope | None,
        typer.Option(help="Yours, or this project's. Default: the one that counts."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Set an agent's model: one key of its file, every other byte stays."""
    checked_model(model)
    agent = find_agent(agent_inventory().agents, name, scope or "")
    change = model_change(agent, model)
    if change is None:
        print(f"{name} is set to {model} already: {agent.path}")
        return
    carry_out([change], dry_run=dry_run, yes=yes)
    if agent.shadowed_by:
        typer.echo(f"it has no effect: the {agent.shadowed_by} counts", err=True)


def undo() -> None:
    """Take the last change of agent files back, byte for byte.

    Again: the one before that.
    """
    for path in UndoJournal().undo_change():
        print(f"as before: {path}" if path.exists() else f"deleted: {path}")


def new(
    kind: Annotated[
        AgentKind,
        typer.Argument(help="explorer reads and searches; courier takes work to local models."),
    ],
    *,
    scope: _Scope = AgentScope.USER,
    name: _NewName = "",
    force: _Force = False,
    dry_run: DryRun = False,
) -> None:
    """Make an agent on haiku: an explorer, or a courier to local models.

    An explorer named Explore takes the place of the built-in agent that runs on the main model.
    """
    survey = agent_inventory()
    change = new_agent(
        text_of(kind), survey, name=name or kind.value, scope=scope.value, force=force
    )
    _write_new(change, dry_run=dry_run)


def copy(
    agent_name: _Name,
    *,
    scope: _Scope = AgentScope.USER,
    name: _NewName = "",
    model: Annotated[str, typer.Option(help="Set its model.", autocompletion=_models)] = "",
    force: _Force = False,
    dry_run: DryRun = False,
) -> None:
    """Copy an agent, such as a plugin's, to a file of your own.

    A plugin's agent is called `plugin:name`: the copy stands beside it and takes nobody's place.
    """
    survey = agent_inventory()
    change = copied(
        agent_name,
        survey,
        name=name,
        scope=scope.value,
        force=force,
        model=checked_model(model) if model else "",
    )
    _write_new(change, dry_run=dry_run)


def carry_out(changes: Sequence[FileChange], *, dry_run: bool, yes: bool) -> None:
    """Show the diff, ask, write.

    Raises:
        ArgumentError: standard input is not a terminal.
        typer.Exit: the answer was no.
    """
    if not changes:
        print("nothing to change")
        return
    for change in changes:
        print_diff(change)
    if dry_run:
        return
    if not yes:
        confirm("Write this?")
    UndoJournal().replace_files(changes)
    typer.echo("written; `spadework agents undo` takes it back", err=True)


def _write_new(change: FileChange, *, dry_run: bool) -> None:
    if dry_run:
        print(change.after.decode(), end="")
        return
    if change.before == change.after:
        print(f"it is there already: {change.path}")
        return
    backup = keep_copy(change.path)
    UndoJournal().replace_files([change])
    print(change.path)
    kept = f"; the one before is {backup}" if backup else ""
    typer.echo(f"written{kept}; it counts from the next session on", err=True)
