"""Shows that what was registered works: a real handshake, and the client's own word."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.claude_paths import CONFIG_DIR_VARIABLE
from spadework.claude_code.server_entries import NAME, TOKEN_VARIABLE
from spadework.errors import DaemonError
from spadework.util.http_client import async_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.claude_code.server_entries import ServerEntry

CLIENT = "claude"
HANDSHAKE_SECONDS = 30.0
_CLIENT_SECONDS = 60
_STATUS = re.compile(r"^[^\S\n]*+Status:[^\S\n]*+(.+)$", re.MULTILINE)
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}\S*")


@dataclass(frozen=True, slots=True)
class Verification:
    """What the server said: the protocol's revision, and the names of its tools."""

    protocol: str
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientWord:
    """What the client says of the entry; `status` is its own word, such as "✔ Connected"."""

    version: str
    status: str

    @property
    def connected(self) -> bool:
        """Whether it has connected."""
        return "Connected" in self.status


async def shake_hands(server: ServerEntry, environ: Mapping[str, str]) -> Verification:
    """Start the registered command, or call the address, and ask for the tools.

    Raises:
        DaemonError: it does not start, or does not answer as an MCP server.
    """
    import anyio  # noqa: PLC0415 - heavy

    try:
        with anyio.fail_after(HANDSHAKE_SECONDS):
            return await (_over_http if server.url else _over_stdio)(server, environ)
    except TimeoutError:
        reason = f"it was silent for {HANDSHAKE_SECONDS:.0f} seconds"
    except Exception as failure:  # noqa: BLE001 - any failure is reported
        reason = _innermost(failure)
    hint = "`spadework daemon logs` says more"
    if server.url:
        hint = f"does `spadework serve` run there, and does {TOKEN_VARIABLE} hold its token?"
    raise DaemonError(f"{server.described()}: no handshake: {reason}", hint=hint)


async def _over_stdio(server: ServerEntry, environ: Mapping[str, str]) -> Verification:
    from mcp import Client  # noqa: PLC0415 - heavy
    from mcp.client.stdio import StdioServerParameters  # noqa: PLC0415 - heavy

    parameters = StdioServerParameters(
        command=server.command[0],
        args=list(server.command[1:]),
        env=dict(environ) | dict(server.env or {}),
    )
    async with Client(parameters) as client:
        return await _tools_of(client)


async def _over_http(server: ServerEntry, environ: Mapping[str, str]) -> Verification:
    import httpx2  # noqa: PLC0415 - heavy
    from mcp import Client  # noqa: PLC0415 - heavy
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - heavy

    token = environ.get(TOKEN_VARIABLE, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        async_client(httpx2, headers=headers, trust_env=False) as http,
        Client(streamable_http_client(server.url, http_client=http)) as client,
    ):
        return await _tools_of(client)


async def _tools_of(client: Any) -> Verification:
    listed = await client.list_tools()
    return Verification(client.protocol_version, tuple(tool.name for tool in listed.tools))


def _innermost(failure: BaseException) -> str:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return str(failure) or type(failure).__name__


def client_word(entry: Mapping[str, Any], environ: Mapping[str, str]) -> ClientWord | None:
    """Let the real client connect to the entry, in a config folder of its own that is removed.

    Its own files are left alone: at each start it may write them anew. Nothing of the user's
    login is there, and none is needed.

    Returns:
        What it says; None if the `claude` command is not on PATH.
    """
    program = shutil.which(CLIENT, path=environ.get("PATH"))
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="spadework-setup-") as folder:
        file = Path(folder) / ".claude.json"
        file.write_text(json.dumps({"mcpServers": {NAME: entry}}), encoding="utf-8")
        alone = dict(environ) | {
            CONFIG_DIR_VARIABLE: folder,
            "XDG_CACHE_HOME": folder,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        version = _said([program, "--version"], folder, alone)
        told = _said([program, "mcp", "get", NAME], folder, alone)
    status = _STATUS.search(told)
    number = _VERSION.search(version)
    return ClientWord(number[0] if number else "", status[1].strip() if status else "no status")


def _said(command: list[str], folder: str, environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the client's own command
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CLIENT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") + os.linesep + done.stderr.decode(errors="replace")
