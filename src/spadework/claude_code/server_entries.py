"""What is written where, so that Claude Code starts the server, and entries where it never looks.

Version 2.1.330 reads no servers from settings files, though older write-ups say so.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.claude_client import SERVER_NAME
from spadework.claude_code.client_files import read_content
from spadework.claude_code.file_edits import Edit, look
from spadework.errors import ConfigError
from spadework.util.paths import CONFIG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.claude_code.claude_client import ClaudePaths, Scope

TOKEN_VARIABLE = "SPADEWORK_TOKEN"  # noqa: S105 - the name of the variable, not a token
ALLOW_RULE = f"mcp__{SERVER_NAME}"


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """How the server is reached: by a command, or at an address; `env` goes with the command."""

    command: tuple[str, ...] = ()
    url: str = ""
    env: Mapping[str, str] | None = None

    def described(self) -> str:
        """Say it in a few words."""
        return self.url or " ".join(self.command)


@dataclass(frozen=True, slots=True)
class Program:
    """The command that starts the server, and why it is written like that."""

    command: tuple[str, ...]
    why: str


def installed_program(*, absolute: bool, environ: Mapping[str, str] | None = None) -> Program:
    """Choose how the installed program is called.

    Args:
        absolute: whether the caller is a desktop program, which does not see the shell's PATH.
        environ: the environment; None: this process's.
    """
    environment = os.environ if environ is None else environ
    beside = Path(sys.executable).with_name(SERVER_NAME + (".exe" if os.name == "nt" else ""))
    found = shutil.which(SERVER_NAME, path=environment.get("PATH"))
    inside = environment.get("VIRTUAL_ENV")
    if found and not absolute:
        if not inside or not Path(found).is_relative_to(inside):
            return Program((SERVER_NAME,), f"{SERVER_NAME} is on PATH")
        why = f"{found} is on PATH only while that virtual environment is active"
    elif absolute:
        why = "a desktop program does not see the PATH of your shell"
    else:
        why = f"{SERVER_NAME} is not on PATH"
    program = str(beside) if beside.exists() else found
    if program:
        return Program((program,), f"by its whole path, because {why}")
    return Program((sys.executable, "-m", SERVER_NAME), f"by its Python, because {why}")


def served_by(program: Program, *, shared: bool, environ: Mapping[str, str]) -> ServerEntry:
    """Make the command that serves, with the user's config where that is not at its usual place.

    Args:
        program: how the program is called.
        shared: whether others read the file, whose config lies elsewhere.
        environ: the environment.
    """
    config = environ.get(CONFIG_VARIABLE)
    chosen = ("--config", str(Path(config).expanduser().absolute())) if config else ()
    return ServerEntry((*program.command, *(() if shared else chosen), "mcp"))


def claude_entry(server: ServerEntry) -> dict[str, Any]:
    """Write an entry as Claude Code reads it; the token stays in its variable."""
    if server.url:
        bearer = f"Bearer ${{{TOKEN_VARIABLE}}}"
        return {"type": "http", "url": server.url, "headers": {"Authorization": bearer}}
    entry: dict[str, Any] = {
        "type": "stdio",
        "command": server.command[0],
        "args": list(server.command[1:]),
    }
    return entry | ({"env": dict(server.env)} if server.env else {})


def claude_edit(places: ClaudePaths, scope: Scope, entry: dict[str, Any]) -> Edit:
    """Say which member of which file registers a server with Claude Code."""
    if scope == "project":
        return Edit(places.project_file, "json", "set", ("mcpServers", SERVER_NAME), entry)
    around = () if scope == "user" else ("projects", places.project_key)
    return Edit(places.client_file, "json", "set", (*around, "mcpServers", SERVER_NAME), entry)


def allow_edit(places: ClaudePaths, scope: Scope) -> Edit:
    """Say which settings file gets the rule that lets Claude call the tools without asking."""
    return Edit(places.settings[scope], "json", "add", ("permissions", "allow"), ALLOW_RULE)


def is_ours(name: str, entry: Any) -> bool:
    """Tell whether an entry of some `mcpServers` starts this program, or has its name."""
    if not isinstance(entry, dict):
        return False
    command, args = entry.get("command"), entry.get("args")
    starts_us = isinstance(command, str) and Path(command).stem == SERVER_NAME
    by_python = isinstance(args, list) and args[:2] == ["-m", SERVER_NAME]
    return name == SERVER_NAME or starts_us or by_python


def same_server(entry: Any, wanted: dict[str, Any]) -> bool:
    """Tell whether an entry comes to the same: Claude Code itself writes an empty `env` too."""
    if not isinstance(entry, dict):
        return False
    kind = "http" if "url" in wanted else "stdio"
    told = {"type": kind} | {key: value for key, value in entry.items() if value not in ({}, None)}
    return told == wanted


@dataclass(frozen=True, slots=True)
class IgnoredEntry:
    """An entry that no client reads: its location and content."""

    scope: Scope
    removal: Edit
    entry: dict[str, Any]

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.removal.file

    @property
    def name(self) -> str:
        """The name that it has there."""
        return self.removal.keys[-1]


def ignored_entries(places: ClaudePaths) -> tuple[list[IgnoredEntry], list[str]]:
    """Find the entries of ours in the settings files of every scope.

    Returns:
        The entries, and what is wrong with a file that cannot be read.
    """
    found: list[IgnoredEntry] = []
    problems: list[str] = []
    seen: set[str] = set()
    for scope, file in places.settings.items():
        if (real := os.path.realpath(file)) in seen:
            continue  # in the home folder itself, the user's file is the project's too
        seen.add(real)
        try:
            found += _in(scope, file)
        except ConfigError as problem:
            problems.append(f"{problem}; Claude Code cannot read it either")
    return found, problems


def _in(scope: Scope, file: Path) -> list[IgnoredEntry]:
    whole = Edit(file, "json", "remove", ("mcpServers",))
    servers = look(read_content(file).text, whole).value
    if not isinstance(servers, dict):
        return []
    return [
        IgnoredEntry(scope, Edit(file, "json", "remove", ("mcpServers", name)), entry)
        for name, entry in servers.items()
        if is_ours(name, entry)
    ]
