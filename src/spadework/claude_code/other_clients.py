"""Where other MCP clients keep their servers, and in which form; from their own documentation."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.claude_client import SERVER_NAME
from spadework.claude_code.file_edits import Edit
from spadework.claude_code.server_entries import TOKEN_VARIABLE
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.claude_code.claude_client import Scope
    from spadework.claude_code.file_edits import Format
    from spadework.claude_code.server_entries import ServerEntry

CLAUDE_CODE = "claude-code"
CLIENTS = (CLAUDE_CODE, "claude-desktop", "cursor", "vscode", "codex", "zed")

# Started by the desktop, not by a shell: they need the command's absolute path.
DESKTOP = frozenset({"claude-desktop", "cursor", "vscode", "zed"})


@dataclass(frozen=True, slots=True)
class _Form:
    """Where another client keeps its servers; `project` is empty where it has no such file."""

    user: Path
    project: str
    format: Format
    table: str


def other_edit(
    client: str,
    scope: Scope,
    server: ServerEntry,
    project: Path,
    environ: Mapping[str, str],
    platform: str = sys.platform,
) -> Edit:
    """Say which member of which file registers the server with another client.

    Args:
        client: one of `CLIENTS`, not `claude-code`.
        scope: user or project.
        server: what is registered.
        project: the project's folder.
        environ: the environment, for the folders that it moves.
        platform: as `sys.platform`.

    Raises:
        ArgumentError: the client has no such scope, or cannot reach a server like that.
    """
    form = _form(client, environ, platform)
    if scope == "local" or (scope == "project" and not form.project):
        raise ArgumentError(
            f"--scope {scope} does not exist for {client}",
            hint="leave --scope away" + (", or use --scope project" if form.project else ""),
        )
    file = form.user if scope == "user" else project / form.project
    return Edit(file, form.format, "set", (form.table, SERVER_NAME), _other_entry(client, server))


def _form(client: str, environ: Mapping[str, str], platform: str) -> _Form:
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    roaming = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    xdg = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    support = {"darwin": home / "Library" / "Application Support", "win32": roaming}
    apps = support.get(platform, xdg)
    match client:
        case "claude-desktop":
            file = apps / "Claude" / "claude_desktop_config.json"
            return _Form(file, "", "json", "mcpServers")
        case "cursor":
            return _Form(home / ".cursor/mcp.json", ".cursor/mcp.json", "jsonc", "mcpServers")
        case "vscode":
            return _Form(apps / "Code/User/mcp.json", ".vscode/mcp.json", "jsonc", "servers")
        case "codex":
            folder = Path(environ.get("CODEX_HOME") or home / ".codex")
            return _Form(folder / "config.toml", ".codex/config.toml", "toml", "mcp_servers")
        case "zed":
            folder = roaming / "Zed" if platform == "win32" else xdg / "zed"
            return _Form(folder / "settings.json", ".zed/settings.json", "jsonc", "context_servers")
    raise ArgumentError(f"--client {client!r} is not known", hint=f"known: {', '.join(CLIENTS)}")


def _other_entry(client: str, server: ServerEntry) -> dict[str, Any]:
    if not server.url:
        started = {"command": server.command[0], "args": list(server.command[1:])}
        return {"type": "stdio"} | started if client == "vscode" else started
    match client:
        case "codex":
            return {"url": server.url, "bearer_token_env_var": TOKEN_VARIABLE}
        case "cursor" | "vscode":
            bearer = {"Authorization": f"Bearer ${{env:{TOKEN_VARIABLE}}}"}
            http = {"type": "http"} if client == "vscode" else {}
            return {**http, "url": server.url, "headers": bearer}
    raise ArgumentError(
        f"{client} takes a token only in its own file, and none is written there",
        hint="leave --http away: the server then runs as a command and shares the daemon",
    )
