from __future__ import annotations

import pytest

from doubles.asking import request, settings, text
from doubles.contracts import exchange
from doubles.llama_swap import SECRET, LlamaSwapDouble
from doubles.plays import Play
from spadework.backends.base import Message
from spadework.backends.llama_swap import LlamaSwapBackend
from spadework.errors import BackendUnavailable, ContextExceeded, ModelUnknown, Overloaded

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


async def test_the_recorded_list_of_a_newer_version_is_read_with_aliases_and_states():
    body = exchange("llama-swap-2026-08", "models while one is loaded").body
    with LlamaSwapDouble(form="2026-08", tells_running=False) as server:
        answer = server.answer

        async def recorded(asked, wire):
            await (wire.send(body) if asked.path == "/v1/models" else answer(asked, wire))

        server.answer = recorded
        backend = LlamaSwapBackend(settings(server.url))
        listed = {info.name: info for info in await backend.models()}
        loaded = await backend.loaded()
        await backend.close()
    assert list(listed) == [
        "broken",
        "codellama-local",
        "limited",
        "llama3-local",
        "neverhealthy",
        "short-ttl",
    ]
    assert {name for name, info in listed.items() if info.loaded} == {"llama3-local"} == loaded
    assert (listed["llama3-local"].window, listed["llama3-local"].aliases) == (
        4096,
        ("gpt-4o-mini",),
    )


@pytest.fixture
async def aliased():
    """A newer llama-swap with an alias, and a backend before it."""
    with LlamaSwapDouble("llama3-local", "codellama-local", form="2026-08") as server:
        server.aliases = {"gpt-4o-mini": "llama3-local", "cheap": "llama3-local"}
        backend = LlamaSwapBackend(settings(server.url))
        yield server, backend
        await backend.close()


async def test_a_model_is_described_and_counted_by_its_alias_like_by_its_name(aliased):
    server, backend = aliased
    server.ready = "llama3-local"
    own, called = [await backend.describe(name) for name in ("llama3-local", "gpt-4o-mini")]
    assert (called.name, called.aliases) == ("gpt-4o-mini", ("llama3-local", "cheap"))
    assert (called.window, called.loaded, called.trust) == (2048, True, "local")
    assert (own.window, own.loaded, own.trust) == (2048, True, "local")
    assert backend.full_name("gpt-4o-mini") == "llama3-local"
    counted = await backend.count_tokens("gpt-4o-mini", MESSAGES)
    assert (counted.tokens, counted.exact) == (5, True)
    assert server.loads == []


async def test_an_alias_that_is_another_models_name_means_that_model(aliased):
    server, backend = aliased
    server.aliases = {"codellama-local": "llama3-local"}
    server.ready = "llama3-local"
    assert (await backend.describe("codellama-local")).loaded is False
    assert {info.aliases for info in await backend.models()} == {()}


async def test_selectors_and_profiles_are_no_models_of_their_own(aliased):
    server, backend = aliased
    server.entries += [
        {"id": "warm", "meta": {"llamaswap": {"type": "selector", "targets": ["llama3-local"]}}},
        {"id": "night", "meta": {"llamaswap": {"type": "profile"}}},
    ]
    listed = {info.name: info for info in await backend.models()}
    assert {name: info.route for name, info in listed.items() if info.route} == {
        "warm": "selector",
        "night": "profile",
    }
    assert not listed["warm"].is_meant_by(["koala/*"])
    assert listed["warm"].is_meant_by(["koala/warm"])
    assert (await backend.describe("night")).trust == "unknown"


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        ("nope", ModelUnknown, "no router for requested model"),
        ("broken", BackendUnavailable, "upstream command exited prematurely"),
    ],
)
async def test_its_errors_are_understood_in_both_forms(
    llama_swap_double, backend, model, error, said
):
    llama_swap_double.names.append("broken")
    with pytest.raises(error, match=said):
        await text(backend, request(model))


async def test_its_limit_is_understood_in_both_forms(llama_swap_double, backend):
    what = "concurrency limit 1" if llama_swap_double.is_new else "climit"
    llama_swap_double.plays(Play.answering(exchange(llama_swap_double.contract, what)))
    with pytest.raises(Overloaded, match="Too many requests"):
        await text(backend)


async def test_a_prompt_that_is_too_long_for_a_newer_one_is_refused_with_its_counts(
    llama_swap_double, backend
):
    long = exchange("llama-swap-2026-08", "too long")
    llama_swap_double.plays(Play.answering(long))
    with pytest.raises(ContextExceeded) as caught:
        await text(backend)
    assert (caught.value.tokens, caught.value.window) == (6031, 2048)
