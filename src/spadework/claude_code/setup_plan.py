"""What setup is about to change, found out before anything is changed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spadework.claude_code.claude_client import SERVER_NAME
from spadework.claude_code.client_files import check_writable, read_content
from spadework.claude_code.file_edits import MISSING, Edit, changed, is_done, look
from spadework.claude_code.other_clients import CLAUDE_CODE, DESKTOP, other_edit
from spadework.claude_code.registrations import registered
from spadework.claude_code.server_entries import (
    ServerEntry,
    allow_edit,
    claude_edit,
    claude_entry,
    ignored_entries,
    installed_program,
    is_ours,
    same_server,
    served_by,
)
from spadework.config.type_names import as_toml
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.claude_code.claude_client import ClaudePaths, Scope

_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One edit, why it is made, and whether the file already is like that."""

    edit: Edit
    why: str
    done: bool = False
    question: str = ""
    """What the user is asked on its own; empty where it goes with the registration."""

    def lines(self) -> list[str]:
        """Show it as a diff of the one member; values that may be secret are hidden."""
        before = look(read_content(self.edit.file).text, self.edit).value
        keys = ".".join(self.edit.keys)
        head = [f"--- {self.edit.file}", f"+++ {self.edit.file}", f"@@ {keys} @@"]
        if self.edit.kind == "add":
            return [*head, f"+ {json.dumps(self.edit.value)}"]
        old = [] if before is MISSING else self._shown("-", before)
        new = [] if self.edit.kind == "remove" else self._shown("+", self.edit.value)
        return [*head, *old, *new]

    def _shown(self, mark: str, value: Any) -> list[str]:
        if isinstance(value, dict):
            value = {key: _masked(key, inner) for key, inner in value.items()}
            if self.edit.format == "toml":
                return [f"{mark} {key} = {as_toml(inner)}" for key, inner in value.items()]
        written = json.dumps(value, indent=2, ensure_ascii=False)
        return [f"{mark} {line}" for line in written.splitlines()]


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """The changes in their order, the server that they register, and what the user should know."""

    server: ServerEntry
    changes: tuple[PlannedChange, ...]
    notes: tuple[str, ...]

    @property
    def open(self) -> list[PlannedChange]:
        """The changes that are not made yet."""
        return [change for change in self.changes if not change.done]


def make_plan(
    client: str, scope: Scope, url: str, places: ClaudePaths, environ: Mapping[str, str]
) -> SetupPlan:
    """Work out every change; all files are read, none is written.

    Args:
        client: one of `CLIENTS`.
        scope: where it is registered.
        url: an address, where the server is called over HTTP; empty: it is started here.
        places: Claude Code's files.
        environ: the environment.

    Raises:
        ConfigError: a file cannot be read, changed or written; says which and why.
        ArgumentError: the client has no such scope, or cannot reach a server like that.
    """
    notes: list[str] = []
    if url:
        server = ServerEntry(url=url)
    else:
        program = installed_program(absolute=client in DESKTOP, environ=environ)
        server = served_by(program, shared=scope == "project", environ=environ)
        notes.append(f"the command is {server.described()}: {program.why}")
    if client == CLAUDE_CODE:
        return _claude_plan(scope, server, places, notes)
    edit = other_edit(client, scope, server, places.project, environ)
    return _checked(
        SetupPlan(server, (_change(edit, f"registers the server with {client}"),), ()), notes
    )


def _claude_plan(
    scope: Scope, server: ServerEntry, places: ClaudePaths, notes: list[str]
) -> SetupPlan:
    dead, problems = ignored_entries(places)
    notes += problems
    for one in dead:
        env = one.entry.get("env")
        if not isinstance(env, dict) or not env or server.url:
            continue
        if one.scope == "user" and scope != "project":
            server = replace(server, env=env)
        else:
            # A repository's file does not speak for the user; keys do not belong in shared files.
            notes.append(f"the variables (env) of the entry in {one.file} are not moved")
    entry = claude_entry(server)
    edit = claude_edit(places, scope, entry)
    registered = _change(edit, f"registers the server in the scope {scope}")
    now = look(read_content(edit.file).text, edit).value
    changes = [replace(registered, done=same_server(now, entry))]
    changes += [
        _change(
            one.removal,
            f"Claude Code reads no servers from {one.file.name}: this entry never counted, "
            f"and is moved to {edit.file}",
        )
        for one in dead
    ]
    if scope == "project":
        changes += _approval(places, notes)
    rule = _change(
        allow_edit(places, scope),
        "lets Claude call the tools without asking you each time; they read, and ask_each may "
        "write its table into the project",
    )
    changes.append(replace(rule, question="Allow the tools without being asked each time?"))
    notes += _shadows(places, scope)
    notes += _beside_plugins(places, server)
    return _checked(SetupPlan(server, tuple(changes), ()), notes)


def _approval(places: ClaudePaths, notes: list[str]) -> list[PlannedChange]:
    """Approve the shared entry for this one project, if the user has trusted the folder already.

    It goes where the client itself keeps such a word; it counts only in a trusted folder.
    """
    known = Edit(places.client_file, "json", "set", ("projects", places.project_key))
    project = look(read_content(known.file).text, known).value
    if isinstance(project, dict) and project.get("hasTrustDialogAccepted") is True:
        edit = Edit(
            places.settings["local"], "json", "add", ("enabledMcpjsonServers",), SERVER_NAME
        )
        return [_change(edit, "approves it for you, in this project alone")]
    notes.append(
        "Claude Code asks once whether it may start what .mcp.json names: start `claude` in "
        f"{places.project} and accept; until then it says Pending approval"
    )
    return []


def _shadows(places: ClaudePaths, scope: Scope) -> list[str]:
    """Name what counts before this entry: local before project before user."""
    order: tuple[Scope, ...] = ("local", "project", "user")
    found = []
    for stronger in order[: order.index(scope)]:
        edit = claude_edit(places, stronger, {})
        try:
            now = look(read_content(edit.file).text, edit).value
        except ConfigError as problem:
            found.append(f"{problem}; Claude Code cannot read it either")
            continue
        if now is not MISSING:
            found.append(
                f"in {places.project} the entry of the scope {stronger} in {edit.file} counts "
                "before this one"
            )
    return found


def _beside_plugins(places: ClaudePaths, server: ServerEntry) -> list[str]:
    """Say what comes of a plugin that brings the server too."""
    notes = []
    for entry in registered(places).entries:
        if entry.origin != "plugin" or entry.state == "disabled":
            continue
        plugin = entry.name.split(":")[1]
        if (entry.command, *entry.args) == server.command:
            notes.append(
                f"the plugin {plugin} runs the same command: Claude Code leaves the plugin's out, "
                "and the tools are called mcp__spadework__…"
            )
        else:
            notes.append(
                f"the plugin {plugin} brings the tools too, by another command, so Claude would "
                f"see each twice: `claude plugin disable {plugin}`, or leave setup away"
            )
    return notes


def registered_elsewhere(places: ClaudePaths) -> list[str]:
    """Name the scopes of Claude Code that have an entry of ours.

    Raises:
        ConfigError: a file cannot be read.
    """
    scopes: tuple[Scope, ...] = ("user", "project", "local")
    found = []
    for scope in scopes:
        edit = claude_edit(places, scope, {})
        if is_ours(SERVER_NAME, look(read_content(edit.file).text, edit).value):
            found.append(scope)
    return [str(scope) for scope in found]


def _change(edit: Edit, why: str) -> PlannedChange:
    return PlannedChange(edit, why, done=is_done(read_content(edit.file).text, edit))


def _checked(plan: SetupPlan, notes: list[str]) -> SetupPlan:
    """Make every change on paper, so that what cannot be done is said before anything is."""
    texts: dict[str, str] = {}
    for change in plan.open:
        file = os.path.realpath(change.edit.file)
        check_writable(change.edit.file)
        text = texts.get(file, read_content(change.edit.file).text)
        texts[file] = changed(text, change.edit)
    return replace(plan, notes=tuple(notes))


def _masked(key: str, value: Any) -> Any:
    """Hide values of variables and headers, which may be keys; a reference to one is shown."""
    if key not in {"env", "headers"} or not isinstance(value, dict):
        return value
    return {
        name: inner if isinstance(inner, str) and "${" in inner else _HIDDEN
        for name, inner in value.items()
    }
