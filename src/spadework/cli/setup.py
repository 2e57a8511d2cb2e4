"""`spadework setup`: from nothing to tools that Claude Code calls, and back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from spadework.claude_code.claude_client import claude_paths, project_folder
from spadework.claude_code.other_clients import CLIENTS
from spadework.claude_code.setup_plan import registered_elsewhere
from spadework.claude_code.undo_journal import OURS, UndoJournal
from spadework.cli.console import confirm, say
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import complete_from
from spadework.errors import ArgumentError, ConfigError
from spadework.references.roots import current_folder
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from spadework.claude_code.claude_client import ClaudePaths, Scope
    from spadework.claude_code.undo_journal import JournalStep

_SCOPES: tuple[Scope, ...] = ("user", "project", "local")


def setup(
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Also look for models on this host: NAME, NAME:PORT or http://NAME:PORT. "
            "Repeatable.",
        ),
    ] = None,
    port: Annotated[
        list[int] | None,
        typer.Option(
            metavar="PORT", help="Look at this port instead of the default ones. Repeatable."
        ),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(
            metavar="SCOPE",
            help="Where to register: user (all projects; the default), project (shared in the "
            "repository) or local (this project, only you).",
            autocompletion=complete_from(_SCOPES),
        ),
    ] = "",
    http: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Register the HTTP server at this URL, as `spadework serve` runs it. Its token "
            "is read from SPADEWORK_TOKEN.",
        ),
    ] = "",
    client: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"{CLIENTS[0]} (the default), {', '.join(CLIENTS[1:-1])} or {CLIENTS[-1]}.",
            autocompletion=complete_from(CLIENTS),
        ),
    ] = "",
    allow: Annotated[
        bool,
        typer.Option(
            "--allow", help="With --yes: also allow Claude to call the tools without asking."
        ),
    ] = False,
    new_config: Annotated[
        bool,
        typer.Option(
            "--new-config", help="Write a new config even if one exists, which is kept as a copy."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; --allow is needed all the same.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes; write nothing.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Undo what setup changed, and nothing else.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was done as JSON; needs --yes or --dry-run.")
    ] = False,
) -> None:
    """Find your models, register the tools with Claude Code, and show that they work.

    An existing config is used as it is, and edited files keep every other byte. A second run
    changes nothing. --remove undoes everything.
    """
    chosen = _checked_scope(scope)
    _check_client(client)
    if as_json and not (yes or dry_run):
        raise ArgumentError("--json asks no questions: pass --yes", hint="or --dry-run")
    if remove and (host or port or http or allow or new_config):
        raise ArgumentError(
            "--remove cannot be combined with --host, --port, --http, --allow or --new-config",
            hint="--scope and --client select what is removed",
        )
    places = claude_paths(project_folder(current_folder()), os.environ)
    record = UndoJournal()
    if remove:
        told = _remove(record, places, client, scope, ask=not yes, dry_run=dry_run)
    else:
        from spadework.cli.setup_flow import SetupOptions, set_up

        wishes = SetupOptions(
            client=client or "claude-code",
            scope=chosen,
            url=_checked_url(http),
            hosts=tuple(host or ()),
            ports=tuple(port or ()),
            allow=allow,
            new_config=new_config,
            yes=yes,
            dry_run=dry_run,
            quiet=as_json,
        )
        told = set_up(wishes, places, record)
    if as_json:
        print(printable_json(told, 2))
    if not told.get("ok", True):
        raise typer.Exit(EXIT_FAILED)


def _checked_scope(scope: str) -> Scope:
    for known in _SCOPES:
        if known == (scope or "user"):
            return known
    raise ArgumentError(f"invalid --scope {scope!r}", hint=f"one of: {', '.join(_SCOPES)}")


def _check_client(client: str) -> None:
    if client and client not in CLIENTS:
        raise ArgumentError(f"unknown --client {client!r}", hint=f"one of: {', '.join(CLIENTS)}")


def _checked_url(url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ArgumentError(
            f"--http {url!r} is not a server URL",
            hint="write it as `spadework serve` prints it, such as http://koala:8765/mcp",
        )
    return url


def _remove(
    record: UndoJournal, places: ClaudePaths, client: str, scope: str, *, ask: bool, dry_run: bool
) -> dict[str, Any]:
    steps = _chosen(record.steps(), client, scope)
    if not steps:
        say("nothing to undo: no change of setup is on record here")
        _tell_of_entries_by_hand(places)
        return {"removed": []}
    for step in reversed(steps):
        say(f"  {record.preview(step)}" if dry_run else f"  {step.file}")
    if dry_run:
        return {"removed": []}
    if ask:
        confirm("Undo these changes?")
    done: list[str] = []
    with record.alone():
        for step in reversed(_chosen(record.steps(), client, scope)):
            done.append(record.undo(step))
            say(done[-1])
    return {"removed": done}


def _chosen(steps: list[JournalStep], client: str, scope: str) -> list[JournalStep]:
    """Choose the steps of a client and a scope; the config goes with the last registration."""
    meant = [
        step
        for step in steps
        if step.client != OURS and client in {"", step.client} and scope in {"", step.scope}
    ]
    others = [step for step in steps if step.client != OURS and step not in meant]
    last = not others and (meant or not (client or scope))
    return [step for step in steps if step in meant or (step.client == OURS and last)]


def _tell_of_entries_by_hand(places: ClaudePaths) -> None:
    try:
        scopes = registered_elsewhere(places)
    except ConfigError:
        return
    for scope in scopes:
        say(f"registered, but not by setup; to remove it: claude mcp remove spadework -s {scope}")
