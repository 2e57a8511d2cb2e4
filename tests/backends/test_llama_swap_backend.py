from __future__ import annotations

import pytest

from doubles.asking import settings, text
from doubles.contracts import exchange
from doubles.llama_swap import SECRET, LlamaSwapDouble
from journeyman.backends.base import Message
from journeyman.backends.llama_swap import LlamaSwapBackend

MESSAGES = (Message("user", "one two three"),)


@pytest.fixture
async def backend(llama_swap_double):
    backend = LlamaSwapBackend(settings(llama_swap_double.url))
    yield backend
    await backend.close()


async def test_the_recorded_list_is_read_with_its_metadata(llama_swap_double, backend):
    answer = llama_swap_double.answer

    async def recorded(asked, wire):
        if asked.path == "/v1/models":
            return await wire.send(exchange("llama-swap", "models").body)
        if asked.path == "/running":
            return await wire.send(exchange("llama-swap", "running: llama3-local").body)
        return await answer(asked, wire)

    llama_swap_double.answer = recorded
    listed = {info.name: (info.window, info.loaded) for info in await backend.models()}
    assert listed == {
        "broken": (None, False),
        "codellama-local": (None, False),
        "llama3-local": (4096, True),
        "neverhealthy": (None, False),
    }


async def test_a_model_that_is_not_ready_is_never_touched(llama_swap_double, backend):
    llama_swap_double.starting = "llama3-local"
    await backend.models()
    info = await backend.describe("llama3-local")
    counted = await backend.count_tokens("llama3-local", MESSAGES)
    assert (info.window, info.loaded) == (None, False)
    assert (counted.exact, counted.source) == (False, "estimate: the model is not loaded yet")
    assert llama_swap_double.loads == []
    assert not [a.path for a in llama_swap_double.requests if a.path.startswith("/upstream")]


async def test_a_ready_model_tells_its_true_window_and_counts(llama_swap_double, backend):
    llama_swap_double.ready = "llama3-local"
    info = await backend.describe("llama3-local")
    counted = await backend.count_tokens("llama3-local", MESSAGES)
    assert (info.window, info.loaded) == (2048, True)
    assert info.window_source == "n_ctx of the running server"
    assert (counted.tokens, counted.exact) == (5, True)
    assert llama_swap_double.loads == []


async def test_another_ready_model_does_not_count_for_this_one(llama_swap_double, backend):
    llama_swap_double.ready = "codellama-local"
    assert not (await backend.count_tokens("llama3-local", MESSAGES)).exact
    assert (await backend.describe("llama3-local")).loaded is False
    assert llama_swap_double.loads == []


@pytest.mark.parametrize("key", ["ctx", "n_ctx", "context", "context_length"])
async def test_the_window_in_the_users_metadata_is_read_under_each_name(key):
    with LlamaSwapDouble("llama3-local", metadata={key: 4096}) as server:
        backend = LlamaSwapBackend(settings(server.url))
        info = await backend.describe("llama3-local")
        await backend.close()
    assert (info.window, info.window_source) == (4096, f"meta.llamaswap.{key} in /v1/models")


async def test_the_running_server_knows_better_than_metadata_and_the_config_better_than_both():
    with LlamaSwapDouble("llama3-local", metadata={"ctx": 4096}) as server:
        server.ready = "llama3-local"
        for windows, window in (({}, 2048), ({"llama3-local": 999}, 999)):
            backend = LlamaSwapBackend(settings(server.url, windows=windows))
            assert (await backend.describe("llama3-local")).window == window
            await backend.close()


async def test_whether_an_alias_is_loaded_is_not_known(llama_swap_double, backend):
    llama_swap_double.ready = "llama3-local"
    assert (await backend.describe("llama")).loaded is None


async def test_a_ready_server_of_another_kind_is_described_without_its_window(
    llama_swap_double, backend
):
    answer = llama_swap_double.answer

    async def without_props(asked, wire):
        if asked.path.endswith("/props"):
            return await wire.send("404 page not found", status=404)
        return await answer(asked, wire)

    llama_swap_double.ready = "llama3-local"
    llama_swap_double.answer = without_props
    info = await backend.describe("llama3-local")
    assert (info.window, info.loaded) == (None, True)


async def test_command_lines_are_never_shown(llama_swap_double, backend):
    llama_swap_double.ready = "llama3-local"
    seen = [*await backend.models(), await backend.describe("llama3-local")]
    assert SECRET not in repr(seen)


async def test_a_chat_swaps_the_model_in(llama_swap_double, backend):
    assert await text(backend) == "Hello there, welcome."
    assert llama_swap_double.loads == ["llama3-local"]
