"""A server's reply costs bounded memory and time, however it is encoded and however it comes."""

import ast
import asyncio
import gzip
import json
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import httpx2
import pytest

import spadework
from doubles.asking import chunks, request, settings
from doubles.http_server import HttpDouble
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.discovery.search import discover
from spadework.errors import BackendError, BadReply
from spadework.util import http_client

MODELS = json.dumps({"object": "list", "data": [{"id": "m"}]}).encode()
TAGS = json.dumps({"models": [{"model": "m"}]}).encode()
MIB = 1 << 20
KINDS = [OpenAIBackend, OllamaBackend]


def deflated(data):
    return zlib.compress(data)


def deflated_raw(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def bomb(levels, megabytes=200):
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(megabytes)) + packer.flush()
    for _ in range(levels - 1):
        packed = gzip.compress(packed)
    return packed


class Encoded(HttpDouble):
    """Answers everything with one body."""

    def __init__(self, body, encoding="", content_type="application/json", status=200):
        super().__init__()
        self.body, self.encoding = body, encoding
        self.content_type, self.status = content_type, status

    async def answer(self, _, wire):
        headers = {"Content-Encoding": self.encoding} if self.encoding else {}
        await wire.send(
            self.body, headers=headers, content_type=self.content_type, status=self.status
        )


class Endless(HttpDouble):
    """Sends one piece again and again."""

    def __init__(self, piece, content_type, pause=0.0):
        super().__init__()
        self.data, self.content_type, self.pause = piece, content_type, pause

    async def answer(self, _, wire):
        await wire.begin(self.content_type)
        while True:
            await wire.piece(self.data)
            await asyncio.sleep(self.pause)


async def listed(kind, url):
    backend = kind(settings(url))
    try:
        return [one.name for one in await backend.models()]
    finally:
        await backend.close()


async def chat(kind, url, **changes):
    backend = kind(settings(url, **changes))
    try:
        return await chunks(backend, request())
    finally:
        await backend.close()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("X-Gzip", gzip.compress),
        ("identity, gzip", gzip.compress),
        ("deflate", deflated),
        ("deflate", deflated_raw),
    ],
)
async def test_a_reply_that_is_encoded_once_is_read(encoding, encode):
    with Encoded(encode(MODELS), encoding) as server:
        assert await listed(OpenAIBackend, server.url) == ["m"]
        assert server.requests[0].headers["accept-encoding"] == "identity"
    with Encoded(encode(TAGS), encoding) as server:
        assert await listed(OllamaBackend, server.url) == ["m:latest"]
        assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "encoding",
    ["gzip, gzip", "gzip,deflate", "br", "zstd", "compress", "deflate, br, gzip", "gzip; q=1", "?"],
)
async def test_any_other_encoding_is_refused(kind, encoding):
    with Encoded(gzip.compress(gzip.compress(MODELS)), encoding) as server:
        with pytest.raises(BadReply, match="identity was asked for"):
            await listed(kind, server.url)
        with pytest.raises(BadReply):
            await chat(kind, server.url)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_what_cannot_be_decoded_is_no_reply(encoding):
    with (
        Encoded(b"\xff" * 100, encoding) as server,
        pytest.raises(BadReply, match="cannot be decoded"),
    ):
        await listed(OpenAIBackend, server.url)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("media", ["application/json", "text/plain", "text/event-stream"])
async def test_decoded_bytes_are_what_is_counted(kind, media):
    with Encoded(bomb(1), "gzip", media) as server, pytest.raises(BadReply, match="larger than"):
        await listed(kind, server.url)


@pytest.mark.slow
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_two_kilobytes_do_not_become_gigabytes(levels):
    asking = (
        "import asyncio, sys\n"
        "from spadework.discovery.search import discover\n"
        "from spadework.backends.base import BackendSettings\n"
        "from spadework.backends.openai import OpenAIBackend\n"
        "from spadework.backends.ollama import OllamaBackend\n"
        "async def main(url):\n"
        "    await discover([url], 5.0)\n"
        "    for kind in (OpenAIBackend, OllamaBackend):\n"
        "        try: await kind(BackendSettings('koala', url)).models()\n"
        "        except Exception as error: pass\n"
        "asyncio.run(main(sys.argv[1]))\n"
        # Not ru_maxrss: that begins with the memory of the process that started this one.
        "status = open('/proc/self/status').read()\n"
        "print(status.split('VmHWM:')[1].split()[0])\n"
    )
    with Encoded(bomb(levels, 400), ", ".join(["gzip"] * levels)) as server:
        done = subprocess.run(
            [sys.executable, "-c", asking, server.url],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    assert int(done.stdout) < 200 * 1024  # KiB; it was 4 GiB


@pytest.mark.parametrize(
    ("kind", "media"),
    [
        (OpenAIBackend, "text/event-stream"),
        (OpenAIBackend, "text/plain"),
        (OllamaBackend, "application/x-ndjson"),
        (OllamaBackend, "application/json"),
    ],
)
@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: x" * 10_000, b"\x00" * 65_536])
async def test_a_line_without_an_end_is_broken_off(kind, media, piece):
    with Endless(piece, media) as server:
        config = {"windows": {"llama3-local": 4096}}
        with pytest.raises(BackendError, match="a line of the reply is larger"):
            await chat(kind, server.url, **config)


async def test_an_event_without_an_end_is_broken_off():
    with (
        Endless(b"data: x\n" * 8000, "text/event-stream") as server,
        pytest.raises(BackendError, match="a line of the reply is larger"),
    ):
        await chat(OpenAIBackend, server.url)


@pytest.mark.slow
async def test_events_without_number_are_broken_off(monkeypatch):
    monkeypatch.setattr(http_client, "MOST_LINES", 10_000)
    with (
        Endless(b": ping\n\n" * 500, "text/event-stream") as server,
        pytest.raises(BackendError, match="more than 10000 lines"),
    ):
        await chat(OpenAIBackend, server.url)


async def test_an_error_reply_is_read_no_further_than_its_first_lines():
    said = b'{"error": {"message": "no room", "more": "' + b"x" * (20 * MIB) + b'"}}'
    with (
        Encoded(said, status=500) as server,
        pytest.raises(BackendError, match="no room") as caught,
    ):
        await listed(OpenAIBackend, server.url)
    assert len(str(caught.value)) < 1000


async def test_an_endless_head_is_refused():
    async def answer(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for kind in KINDS:
            with pytest.raises(BackendError):
                await listed(kind, f"http://127.0.0.1:{port}")


@pytest.mark.slow
async def test_a_slow_drip_ends_at_the_deadline(monkeypatch):
    monkeypatch.setattr("spadework.backends.server_backend.QUESTION_TIMEOUT", 0.3)
    with Endless(b" ", "application/json", pause=0.02) as server:
        for kind in KINDS:
            with pytest.raises(BackendError):
                await listed(kind, server.url)


async def read_all(url):
    async with (
        http_client.async_client(httpx2) as client,
        client.stream("GET", url) as reply,
    ):
        async for _ in reply.aiter_bytes():
            pass


async def test_a_deadline_holds_while_a_reply_is_decoded():
    packed = bomb(1, 200)
    with Encoded(packed, "gzip", "application/x-ndjson") as server:
        with http_client.replies_up_to(1 << 40):
            reading = asyncio.create_task(read_all(server.url))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading, 0.05)


async def test_discovery_passes_over_what_is_encoded():
    with Encoded(bomb(2), "gzip, gzip") as server:
        assert await discover([server.url], 5.0) == []


async def test_a_list_at_its_bound_takes_bounded_memory():
    body = b'{"data": [' + b"{}," * (http_client.LARGEST_DOCUMENT // 3 - 10) + b"{}]}"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Encoded(body) as server:
        assert await listed(OpenAIBackend, server.url) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024  # KiB


def test_every_client_is_built_with_these_bounds():
    """A client that is built elsewhere decodes whatever comes."""
    folder = Path(spadework.__file__).parent
    built = {
        str(file.relative_to(folder))
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"AsyncClient", "Client"}
        and not any(keyword.arg == "event_hooks" for keyword in node.keywords)
    }
    assert built <= {"http_client.py"}
