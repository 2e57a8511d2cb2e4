"""A face on a real socket, and requests to it byte by byte."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.mcp.http.http_server import HttpServer, HttpSettings
from spadework.mcp.reloading_engine import ReloadingEngine
from spadework.storage.ledger import Filter, Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

OLDER, NEWER = "2025-11-25", "2026-07-28"
MODES = {OLDER: "legacy", NEWER: "auto"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": NEWER,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class Serving:
    """A face that serves: its address, and what the test has to know of it."""

    def __init__(self, face: HttpServer, url: str, live: ReloadingEngine) -> None:
        self.face = face
        self.live = live
        self.url = url

    @property
    def port(self) -> int:
        """The port of the socket."""
        return int(urlsplit(self.url).port or 0)


@asynccontextmanager
async def serving(listen: str = "127.0.0.1:0", **settings: Any) -> AsyncIterator[Serving]:
    """Serve the config that the environment names."""
    loaded = load_config()
    async with Engine.from_config(loaded.config, {}) as engine:
        live = ReloadingEngine(engine, loaded.path)
        following = asyncio.create_task(live.follow())
        face = HttpServer(live, HttpSettings(listen, **settings))
        try:
            yield Serving(face, await face.start(), live)
        finally:
            await face.stop()
            await live.tasks.close()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@asynccontextmanager
async def client(url: str, revision: str, token: str = "", **options: Any) -> AsyncIterator[Client]:
    """The SDK's own client."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=MODES[revision], **options
        ) as connected,
    ):
        assert connected.protocol_version == revision
        yield connected


def call(revision: str, name: str, arguments: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a tool call."""
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    headers = {**ACCEPT, "mcp-protocol-version": revision}
    if revision == NEWER:
        params["_meta"] = ENVELOPE
        headers |= {"mcp-method": "tools/call", "mcp-name": name}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    return headers, json.dumps(message).encode()


async def session_headers(url: str, revision: str, **more: str) -> dict[str, str]:
    """Shake hands where the revision wants that; returns the header that names the session."""
    if revision == NEWER:
        return {}
    params = {
        "protocolVersion": OLDER,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with httpx2.AsyncClient(trust_env=False) as http:
        greeted = await http.post(url, json=message, headers={**ACCEPT, **more})
        session = {"mcp-session-id": greeted.headers["mcp-session-id"]}
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post(url, json=done, headers={**ACCEPT, **more, **session})
    return session


class Caller:
    """One request on a bare socket, so that the test sees each byte as it comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = b""
        self._reader = reader
        self._writer = writer

    async def hears(self, wanted: bytes, after: int = 0) -> None:
        """Wait until so much of the answer has come, behind so many of its bytes."""
        async with asyncio.timeout(40):
            while wanted not in self.heard[after:]:
                data = await self._reader.read(4096)
                assert data, f"the answer ended: {self.heard!r}"
                self.heard += data

    async def until_end(self) -> bytes:
        """Read the answer to its end."""
        async with asyncio.timeout(20):
            self.heard += await self._reader.read()
        return self.heard

    def hang_up(self) -> None:
        """Close the connection."""
        self._writer.close()


@asynccontextmanager
async def calling(url: str, headers: dict[str, str], body: bytes) -> AsyncIterator[Caller]:
    """Post something."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    if "transfer-encoding" not in headers:
        headers = headers | {"content-length": str(len(body))}
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


def rows(config_file: Path) -> list[Any]:
    """The ledger's rows, newest first."""
    ledger = Ledger(config_file.parent / "data" / "ledger.db")
    try:
        return list(ledger.entries(Filter(limit=100)))
    finally:
        ledger.close()


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
