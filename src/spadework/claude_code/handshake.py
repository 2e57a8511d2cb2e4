"""A real handshake with a server that is registered: it starts, and lists its tools."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from spadework.claude_code.claude_client import SERVER_NAME
from spadework.claude_code.registrations import RegisteredServer
from spadework.claude_code.server_entries import TOKEN_VARIABLE
from spadework.config.secret_masking import masked
from spadework.errors import DaemonError
from spadework.util.http_client import async_client
from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from spadework.claude_code.server_entries import ServerEntry

SECONDS = 30.0
"""After so long the client gives up on a server."""
_ALWAYS = "anthropic/alwaysLoad"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]{0,1000}))?\}")
_LONGEST_REASON = 300
_SHORT = 6
"""A value up to this length is not treated as a key: it might be part of any word."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a server says of itself; `size` is that of the tool list in bytes."""

    seconds: float
    version: str
    protocol: str
    names: tuple[str, ...]
    size: int
    descriptions: tuple[int, ...]
    instructions: int
    always: bool


class HandshakeFailed(Exception):
    """The handshake failed; the message says why, without secrets.

    `program_missing` is whether the program to be started was not found.
    """

    def __init__(self, message: str, *, program_missing: bool = False) -> None:
        super().__init__(message)
        self.program_missing = program_missing


async def greet(entry: RegisteredServer, project: Path, environ: Mapping[str, str]) -> Handshake:
    """Start a server as the client does, ask for its tools and end it.

    Args:
        entry: what to start.
        project: the folder that the client is started in.
        environ: the client's environment.

    Raises:
        HandshakeFailed: it does not start, or does not answer as it should.
    """
    # The SDK logs tracebacks when a server misbehaves; one line is reported instead.
    logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(SECONDS),
                _connected(entry, project, environ, said) as client,
            ):
                listed = await client.list_tools()
                seconds = time.monotonic() - started
                return _greeting(client, listed, seconds)
        except TimeoutError:
            raise HandshakeFailed(
                f"no answer within {SECONDS:g} s, as long as the client waits"
            ) from None
        except (asyncio.CancelledError, KeyboardInterrupt, HandshakeFailed):
            raise
        except Exception as error:  # noqa: BLE001 - any failure of a foreign server is reported
            cause = _innermost(error)
            raise HandshakeFailed(
                _without_values(_reason(cause, said), entry),
                program_missing=isinstance(cause, FileNotFoundError),
            ) from None


async def shake_hands(server: ServerEntry, environ: Mapping[str, str]) -> Handshake:
    """Start what `setup` has registered, or call its address, and ask for the tools.

    Raises:
        DaemonError: it does not start, or does not answer as an MCP server.
    """
    program, *arguments = server.command or ("",)
    bearer = {"Authorization": f"Bearer ${{{TOKEN_VARIABLE}}}"}
    entry = RegisteredServer(
        SERVER_NAME,
        "user",
        Path(),
        program,
        tuple(arguments),
        server.url,
        env=server.env or {},
        headers=bearer if server.url and environ.get(TOKEN_VARIABLE) else {},
    )
    try:
        return await greet(entry, Path.cwd(), environ)
    except HandshakeFailed as reason:
        hint = "`spadework daemon logs` says more"
        if server.url:
            hint = f"does `spadework serve` run there, and does {TOKEN_VARIABLE} hold its token?"
        raise DaemonError(f"{server.described()}: no handshake: {reason}", hint=hint) from None


@asynccontextmanager
async def _connected(
    entry: RegisteredServer, project: Path, environ: Mapping[str, str], said: Any
) -> AsyncIterator[Client]:
    def whole(text: str) -> str:
        return expanded(text, environ)

    if entry.url:
        headers = {name: whole(value) for name, value in entry.headers.items()}
        options: dict[str, Any] = {"trust_env": False, "timeout": SECONDS}
        async with async_client(httpx2, headers=headers, **options) as wire:
            transport = streamable_http_client(whole(entry.url), http_client=wire)
            async with Client(transport) as client:
                yield client
        return
    server = StdioServerParameters(
        command=whole(entry.command),
        args=[whole(one) for one in entry.args],
        env={
            **environ,
            **{name: whole(value) for name, value in entry.env.items()},
            "CLAUDECODE": "1",
            "CLAUDE_PROJECT_DIR": str(project),
        },
        cwd=project,
    )
    async with Client(stdio_client(server, errlog=said)) as client:
        yield client


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """Put in variables as the client does: `${NAME}` and `${NAME:-default}`.

    Raises:
        HandshakeFailed: a variable is not set and has no default.
    """

    def value(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name in environ:
            return environ[name]
        if default is None:
            raise HandshakeFailed(f"its entry names ${{{name}}}, which is not set here")
        return str(default)

    return _VARIABLE.sub(value, text)


def _greeting(client: Client, listed: Any, seconds: float) -> Handshake:
    tools = listed.tools
    size = sum(len(t.model_dump_json(by_alias=True, exclude_none=True).encode()) for t in tools)
    return Handshake(
        seconds=seconds,
        version=str(getattr(client.server_info, "version", "")),
        protocol=str(client.protocol_version),
        names=tuple(tool.name for tool in tools),
        size=size,
        descriptions=tuple(len(tool.description or "") for tool in tools),
        instructions=len(client.instructions or ""),
        always=bool(tools) and all((tool.meta or {}).get(_ALWAYS) is True for tool in tools),
    )


def _without_values(text: str, entry: RegisteredServer) -> str:
    """Take out what the entry hands to the server: any of it may be a secret."""
    given = (*entry.args, entry.url, *entry.env.values(), *entry.headers.values())
    for value in sorted((one for one in given if len(one) > _SHORT), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _innermost(error: BaseException) -> BaseException:
    """Return the first error of a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _reason(error: BaseException, said: Any) -> str:
    """Say why in a line: the server's own last words, else the error's."""
    if isinstance(error, FileNotFoundError):
        return "program not found on PATH"
    said.seek(0)
    lines = [line.strip() for line in said.read().splitlines() if line.strip()]
    words = next((line for line in lines if line.startswith("error:")), None)
    told = words or (lines[-1] if lines else f"{type(error).__name__}: {error}")
    return masked(" ".join(clean(told)[0].split()))[:_LONGEST_REASON]
