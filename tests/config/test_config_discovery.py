import asyncio
import contextlib
import socket
import time

import pytest
from model_servers import LITELLM, LITELLM_MODELS, LLAMA_SWAP, OLLAMA, models

from spadework.discovery.search import FoundServer, addresses, discover, with_models
from spadework.errors import ArgumentError


async def look(*servers, seconds=5.0):
    return await discover([server.url for server in servers], seconds=seconds)


async def test_each_kind_of_server_is_known_by_its_answers(serve):
    ollama, litellm, swap = serve(OLLAMA), serve(LITELLM), serve(LLAMA_SWAP)
    vllm = serve({"/v1/models": (200, models("Qwen/Qwen2.5-7B-Instruct"))})
    assert await look(ollama, litellm, swap, vllm) == [
        FoundServer("ollama", ollama.url, ("smollm2:latest",)),
        FoundServer("litellm", litellm.url, (), needs_key=True),
        FoundServer("llama-swap", swap.url, ("broken", "codellama-local", "llama3-local")),
        FoundServer("openai", vllm.url, ("Qwen/Qwen2.5-7B-Instruct",)),
    ]


@pytest.mark.parametrize("status", [404, 500])
async def test_an_ollama_that_lists_no_models_is_found_and_wants_no_key(serve, status):
    server = serve(OLLAMA | {"/v1/models": (status, "no")})
    assert await look(server) == [FoundServer("ollama", server.url)]


async def test_nothing_is_asked_for_twice(serve):
    server = serve({"/v1/models": (200, models("qwen"))})
    await look(server)
    assert sorted(server.asked) == ["/", "/health/liveliness", "/running", "/v1/models"]


async def test_a_litellm_without_a_key_tells_its_models(serve):
    server = serve(LITELLM | {"/v1/models": (200, LITELLM_MODELS)})
    [found] = await look(server)
    assert found == FoundServer(
        "litellm", server.url, ("llama3-local", "codellama-local", "embedded")
    )


async def test_nothing_that_loads_or_calls_a_model_is_asked_for(serve):
    servers = [serve(OLLAMA), serve(LITELLM), serve(LLAMA_SWAP), serve({})]
    await look(*servers)
    asked = {path for server in servers for path in server.asked}
    assert asked == {"/", "/health/liveliness", "/running", "/v1/models"}
    assert not any(key for server in servers for key in server.keys_seen)


async def test_a_server_that_refuses_only_its_api_wants_a_key(serve):
    server = serve({"/": (404, ""), "/v1/models": (401, '{"error":"Unauthorized"}')})
    assert await look(server) == [FoundServer("openai", server.url, needs_key=True)]


@pytest.mark.parametrize(
    "routes",
    [
        {},
        dict.fromkeys(("/", "/running", "/v1/models"), (401, "Unauthorized")),
        {"/": (200, "<html>a wiki</html>"), "/v1/models": (200, "<html>a wiki</html>")},
        {"/v1/models": (200, '{"data": 5}')},
        {"/v1/models": (200, "[" * 100_000)},
        {"/v1/models": (200, b"\xff\xfe")},
        {"/running": (200, '{"running":[]}')},
    ],
)
async def test_what_is_no_model_server_is_not_found(serve, routes):
    assert await look(serve(routes)) == []


async def test_names_that_are_no_models_are_left_out(serve):
    listed = (
        '{"data":[{"id":"ok"},{"id":5},7,{"id":"*"},{"id":"openai/*"},{"id":"a\\nb"},{"id":""},'
        '{"id":"\\u001b[31m"},{"id":"embed","mode":"embedding"},{"id":"' + "x" * 300 + '"}]}'
    )
    [found] = await look(serve({"/v1/models": (200, listed)}))
    assert found.models == ("ok",)


async def test_a_port_where_nothing_listens_is_not_found(serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    server = serve(OLLAMA)
    assert [found.url for found in await discover([closed, server.url])] == [server.url]


async def test_a_server_that_never_answers_does_not_hold_up_the_others(serve):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        quiet = f"http://127.0.0.1:{silent.getsockname()[1]}"
        server = serve(OLLAMA)
        begun = time.monotonic()
        found = await discover([quiet, quiet, server.url], seconds=0.5)
    assert [one.url for one in found] == [server.url]
    assert time.monotonic() - begun < 3


async def test_what_is_no_http_is_not_found():
    async def babble(_, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        assert await discover([f"http://127.0.0.1:{port}"]) == []


async def test_an_answer_without_an_end_is_cut_off(serve):
    server = serve({"/": (200, "x" * 5_000_000), "/v1/models": (200, models("m"))})
    assert [found.models for found in await look(server)] == [("m",)]


async def test_proxies_of_the_environment_are_left_alone(serve, monkeypatch):
    proxy, server = serve({}), serve(OLLAMA)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert len(await look(server)) == 1
    assert proxy.asked == []


async def test_with_its_key_a_server_tells_its_models(serve):
    server = serve(LITELLM, key="sk-hunter2")
    [found] = await look(server)
    assert (await with_models(found, "sk-hunter2")).models == (
        "llama3-local",
        "codellama-local",
        "embedded",
    )
    assert (await with_models(found, "sk-wrong")).models == ()


def test_addresses_are_hosts_times_ports():
    assert addresses(["127.0.0.1", "koala", "koala:4001", "koala"], [4000, 8080]) == [
        "http://127.0.0.1:4000",
        "http://127.0.0.1:8080",
        "http://koala:4000",
        "http://koala:8080",
        "http://koala:4001",
    ]
    assert addresses(["::1", "[fe80::1]:99"], [1]) == ["http://[::1]:1", "http://[fe80::1]:99"]


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "https://koala",
        "http://",
        "http://me@koala",
        "koala/x",
        "me@koala",
        "koala:0",
        "koala:99999",
    ],
)
def test_what_is_no_host_is_an_error(host):
    with pytest.raises(ArgumentError, match="is not a valid host"):
        addresses([host], [4000])
