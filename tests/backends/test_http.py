from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from pathlib import Path

import pytest

from doubles.asking import request, settings, text
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from spadework.backends.http_clients import (
    api_url,
    http_client,
    openai_client,
    root_url,
)
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.backends.trust import TrustRules
from spadework.errors import BackendUnavailable

LEAKS = {
    "OPENAI_API_KEY": "leak-1",
    "OPENAI_ADMIN_KEY": "leak-2",
    "OPENAI_ORG_ID": "leak-3",
    "OPENAI_PROJECT_ID": "leak-4",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/leak-5",
    "OPENAI_CUSTOM_HEADERS": "X-Leak: leak-6\nAuthorization: Bearer leak-7",
    "OLLAMA_HOST": "http://127.0.0.1:9/leak-8",
    "OLLAMA_API_KEY": "leak-9",
}
PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
SENT = {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}


@pytest.mark.parametrize(
    "url", ["http://k:1", "http://k:1/", "http://k:1/v1", "http://k:1/v1/", "http://k:1//"]
)
def test_v1_stands_in_an_address_once(url):
    assert api_url(url) == "http://k:1/v1"
    assert root_url(url) == "http://k:1"


def test_a_path_before_v1_is_kept():
    assert api_url("https://k/api/v1") == "https://k/api/v1"
    assert root_url("https://k/api/v1") == "https://k/api"


@pytest.mark.parametrize("key", [None, "our-key"])
@pytest.mark.parametrize(
    ("double", "kind"), [(OpenAIDouble, OpenAIBackend), (OllamaDouble, OllamaBackend)]
)
async def test_nothing_of_the_environment_is_sent(monkeypatch, double, kind, key):
    for name, value in (LEAKS | PROXIES).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with double("smollm2") as server:
        backend = kind(settings(server.url, api_key=key))
        await backend.models()
        assert await text(backend, request("smollm2"))
        await backend.count_tokens("smollm2", request("smollm2").messages)
        await backend.close()
    assert server.requests
    for asked in server.requests:
        assert asked.headers.pop("authorization", None) == (f"Bearer {key}" if key else None)
        assert set(asked.headers) - SENT == {"user-agent"}
        assert "leak" not in repr(asked)


async def test_only_what_may_leave_the_machine_goes_through_a_proxy(monkeypatch, openai_double):
    for name in PROXIES:
        monkeypatch.setenv(name, openai_double.url)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    far = "http://far-away.invalid"
    cloud = OpenAIBackend(settings(far))
    local = OpenAIBackend(settings(far, rules=TrustRules(local_hosts=("*.invalid",))))
    openai_double.answer = lambda _, wire: wire.send('{"data":[{"id":"far"}]}')
    assert [info.id for info in await cloud.models()] == ["koala/far"]
    with pytest.raises(BackendUnavailable, match="is not known"):
        await local.models()
    await cloud.close()
    await local.close()
    assert [asked.path for asked in openai_double.requests] == [f"{far}/v1/models"]


async def test_a_server_on_a_unix_socket_is_reached():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"data":[{"id":"inside"}]}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s.sock")
        server = await asyncio.start_unix_server(answer, path)
        backend = OpenAIBackend(settings("http://inside"), socket=path)
        assert [info.name for info in await backend.models()] == ["inside"]
        server.close()
        await server.wait_closed()
        os.unlink(path)  # noqa: PTH108 - gone already on some platforms
        with pytest.raises(BackendUnavailable, match="connection refused"):
            await backend.models()
        await backend.close()


async def test_a_wait_for_a_socket_that_is_cancelled_as_it_ends_shows_no_traceback(caplog):
    """What anyio does when data comes in the turn of the event loop that cancels the wait."""
    client = http_client(settings("http://inside"), socket="inside.sock")
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()
    waiting.cancel()
    loop.call_soon(waiting.set_result, None)
    await asyncio.sleep(0)
    assert caplog.records == []
    loop.call_soon(waiting.set_exception, ValueError)
    await asyncio.sleep(0)
    assert "set_exception" in caplog.text, "other errors are logged"
    await client.aclose()


async def test_the_client_leaves_trying_again_to_the_engine_and_keeps_its_timeouts():
    for first_token, idle in ((77, 5), (5, 77)):
        timeouts = {"first_token_timeout": first_token, "idle_timeout": idle}
        chosen = settings("http://k", connect_timeout=1.5, **timeouts)
        client = openai_client(chosen, http_client(chosen))
        assert client.max_retries == 0
        assert (client.timeout.connect, client.timeout.read) == (1.5, 77)
        await client.close()


def test_no_certificates_are_read_for_a_server_without_tls(monkeypatch):
    """Reading them took 50 ms for each server at the first list of tools."""

    def read(*_, **__):
        raise AssertionError("certificates were read")

    for name in ("load_verify_locations", "load_default_certs"):
        monkeypatch.setattr(ssl.SSLContext, name, read)
    http_client(settings("http://k:1"))
    with pytest.raises(AssertionError, match="certificates were read"):
        http_client(settings("https://k:1"))
