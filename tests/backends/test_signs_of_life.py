"""What a server tells without loading anything: a sign of life, what is loaded, its capacity."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from doubles.asking import DEAD_URL, settings
from doubles.contracts import exchange
from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from spadework.backends.base import DiscoveredCapacity
from spadework.backends.litellm import LiteLLMBackend
from spadework.backends.llama_swap import LlamaSwapBackend
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.errors import AuthFailed, BackendUnavailable, BadReply, Unreachable

KINDS = {
    "litellm": (LiteLLMBackend, OpenAIDouble, "/health/liveliness"),
    "llama-swap": (LlamaSwapBackend, LlamaSwapDouble, "/health"),
    "ollama": (OllamaBackend, OllamaDouble, "/api/version"),
    "openai": (OpenAIBackend, OpenAIDouble, "/v1/models"),
}
ALL = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
async def opened():
    """Open a backend of a kind, with its double or at another address."""
    backends = []
    with ExitStack() as stack:

        def open_one(kind, url="", **changes):
            backend, double, _ = KINDS[kind]
            server = None if url else stack.enter_context(double())
            backends.append(backend(settings(url or server.url, **changes)))
            return backends[-1], server

        yield open_one
        for backend in backends:
            await backend.close()


@ALL
async def test_a_sign_of_life_is_one_cheap_question_that_loads_nothing(opened, kind):
    backend, server = opened(kind)
    if kind == "litellm":
        alive = exchange("litellm", "liveliness").body
        server.answer = lambda _, wire: wire.send(alive)
    await backend.probe()
    assert [asked.path for asked in server.requests] == [KINDS[kind][2]]
    assert server.chats == []


@ALL
@pytest.mark.parametrize("status", [200, 401, 404, 500, 503])
@pytest.mark.parametrize("body", ["{", '{"error":"no"}', "<html></html>", ""])
async def test_any_answer_is_a_sign_of_life(opened, kind, status, body):
    backend, server = opened(kind)
    server.answer = lambda _, wire: wire.send(body, status=status)
    await backend.probe()


@ALL
async def test_where_nothing_answers_there_is_no_life(opened, kind):
    backend, _ = opened(kind, DEAD_URL)
    with pytest.raises(Unreachable, match="koala: nothing answers at http"):
        await backend.probe()


@ALL
async def test_a_server_that_takes_the_question_and_hangs_up_is_not_unreachable(opened, kind):
    backend, server = opened(kind)

    async def drop(_, wire):
        wire.drop()

    server.answer = drop
    with pytest.raises(BackendUnavailable, match="hung up") as caught:
        await backend.probe()
    assert type(caught.value) is BackendUnavailable


@ALL
async def test_a_server_that_falls_silent_is_not_unreachable(opened, kind):
    backend, server = opened(kind, first_token_timeout=0.1, idle_timeout=0.1)
    server.answer = lambda _, wire: wire.rest()
    with pytest.raises(BackendUnavailable, match="fell silent") as caught:
        await backend.probe()
    assert type(caught.value) is BackendUnavailable


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_tls_handshake_that_gets_no_answer_is_no_connection(opened, kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        backend, _ = opened(kind, url, connect_timeout=0.2)
        with pytest.raises(Unreachable, match=r"no connection to https.* within 0\.2 s"):
            await backend.probe()


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_proxy_that_lets_nothing_through_is_no_connection(opened, kind, monkeypatch):
    with OpenAIDouble() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        backend, _ = opened(kind, "https://far-away.invalid")
        with pytest.raises(Unreachable, match="through the proxy of the environment"):
            await backend.probe()


async def test_ollama_names_what_it_has_in_memory_with_their_tags(opened):
    backend, server = opened("ollama")
    assert await backend.loaded() == frozenset()
    server.load("smollm2", 4096)
    server.load("qwen3:8b", 0)
    assert await backend.loaded() == {"smollm2:latest", "qwen3:8b"}
    assert backend.full_name("smollm2") in await backend.loaded()
    assert {asked.path for asked in server.requests} == {"/api/ps"}
    assert server.loads == []


async def test_the_recorded_list_of_ollamas_loaded_models_is_read(opened):
    backend, server = opened("ollama")
    server.answer = lambda _, wire: wire.send(exchange("ollama", "ps: 4096").body)
    assert await backend.loaded() == {"smollm2:latest"}


async def test_llama_swap_names_what_runs_and_what_starts(opened):
    backend, server = opened("llama-swap")
    assert await backend.loaded() == frozenset()
    server.ready, server.starting = "llama3-local", "codellama-local"
    assert await backend.loaded() == {"llama3-local", "codellama-local"}
    assert {asked.path for asked in server.requests} == {"/running"}
    assert server.loads == []


async def test_a_model_that_llama_swap_stops_is_not_loaded(opened):
    backend, server = opened("llama-swap")
    stopping = '{"running":[{"model":"a","state":"stopping"},{"model":"b","state":"ready"},7]}'
    server.answer = lambda _, wire: wire.send(stopping)
    assert await backend.loaded() == {"b"}


async def test_the_router_of_llama_server_names_what_is_loaded(opened):
    backend, server = opened("openai")
    server.entries = [
        {"id": name, "object": "model", "status": {"value": name, "args": ["--api-key", "x"]}}
        for name in ("loaded", "loading", "unloaded", "sleeping")
    ]
    assert await backend.loaded() == {"loaded", "loading"}
    server.entries = [{"id": "a", "status": {"value": "unloaded"}}]
    assert await backend.loaded() == frozenset()
    assert {asked.path for asked in server.requests} == {"/v1/models"}


@pytest.mark.parametrize("entry", [{}, {"status": None}, {"status": "ready"}, {"status": {}}])
async def test_a_server_that_does_not_tell_what_is_loaded_is_not_guessed_at(opened, entry):
    backend, server = opened("openai")
    server.entries = [{"id": "a", **entry}]
    assert await backend.loaded() is None


@pytest.mark.parametrize("kind", ["openai", "llama-swap"])
async def test_a_server_without_that_list_does_not_tell_what_is_loaded(opened, kind):
    backend, server = opened(kind)
    server.answer = lambda _, wire: wire.send("404 page not found", status=404)
    assert await backend.loaded() is None


async def test_litellm_does_not_know_what_is_loaded_and_is_not_asked(opened):
    backend, server = opened("litellm")
    assert await backend.loaded() is None
    assert await backend.learn_capacity() == DiscoveredCapacity()
    assert server.requests == []


async def test_llama_server_tells_its_slots(opened):
    backend, server = opened("openai")
    server.props = {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 4}
    assert await backend.learn_capacity() == DiscoveredCapacity(slots=4)
    assert [asked.path for asked in server.requests] == ["/props"]


@pytest.mark.parametrize(("room", "exclusive"), [(1, True), (4, False), (0, None)])
async def test_the_router_tells_whether_it_has_room_for_one_model(opened, room, exclusive):
    """0 is room without limit; its slots are those of each model."""
    backend, server = opened("openai")
    server.props = {"role": "router", "max_instances": room, "models_autoload": True}
    assert await backend.learn_capacity() == DiscoveredCapacity(exclusive=exclusive)


@pytest.mark.parametrize("props", [None, {}, {"total_slots": "4"}, {"total_slots": 0}, [], 7])
async def test_a_server_that_tells_no_slots_teaches_nothing(opened, props):
    backend, server = opened("openai")
    server.props = props
    assert await backend.learn_capacity() == DiscoveredCapacity()


async def test_a_server_that_does_not_tell_its_slots_is_not_asked(opened):
    backend, server = opened("ollama")
    assert await backend.learn_capacity() == DiscoveredCapacity()
    assert server.requests == []


async def test_llama_swap_tells_the_slots_of_what_runs_and_loads_nothing_for_it(opened):
    backend, server = opened("llama-swap")
    assert await backend.learn_capacity() == DiscoveredCapacity()
    server.starting = "codellama-local"
    assert await backend.learn_capacity() == DiscoveredCapacity()
    server.ready, server.starting = "llama3-local", ""
    assert await backend.learn_capacity() == DiscoveredCapacity(models={"llama3-local": 2})
    assert server.loads == []


async def test_a_model_of_llama_swap_whose_server_is_another_one_does_not_tell(opened):
    backend, server = opened("llama-swap")
    server.ready, server.slots = "llama3-local", None
    assert await backend.learn_capacity() == DiscoveredCapacity(models={"llama3-local": None})


async def test_what_a_key_or_a_running_server_could_still_teach_is_not_taken_for_nothing(opened):
    backend, server = opened("openai")
    server.key = "right"
    with pytest.raises(AuthFailed):
        await backend.learn_capacity()
    dead, _ = opened("openai", DEAD_URL)
    for question in (dead.learn_capacity, dead.loaded):
        with pytest.raises(Unreachable):
            await question()


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_what_is_no_http_is_named_as_that(opened, kind):
    backend, server = opened(kind)

    async def speak_otherwise(_, wire):
        wire._writer.write(b"+OK POP3 ready\r\n\r\n")
        wire.drop()

    server.answer = speak_otherwise
    with pytest.raises(BadReply, match="not the reply of a server"):
        await backend.probe()
