from __future__ import annotations

import json

import pytest

from doubles.asking import settings
from doubles.contracts import exchange
from doubles.openai_compatible import OpenAIDouble
from spadework.backends.base import Message
from spadework.backends.litellm import LiteLLMBackend
from spadework.errors import AuthFailed, BadReply

SOURCE = "max_input_tokens in LiteLLM's /v1/model/info"
RECORDED = {"/v1/models": "models", "/v1/model/info": "model/info"}


class LiteLLMDouble(OpenAIDouble):
    """Answers as the recorded proxy did; `changed` replaces a path's reply."""

    def __init__(self):
        super().__init__()
        self.changed = {}

    async def answer(self, request, wire):
        body, status = self.changed.get(request.path) or (
            exchange("litellm", RECORDED[request.path]).body,
            200,
        )
        await wire.send(body, status=status)


@pytest.fixture
def proxy():
    with LiteLLMDouble() as server:
        yield server


@pytest.fixture
async def backend(proxy):
    backend = LiteLLMBackend(settings(proxy.url))
    yield backend
    await backend.close()


async def test_models_are_listed_with_their_windows_and_never_by_health(proxy, backend):
    listed = {info.name: (info.window, info.window_source) for info in await backend.models()}
    assert listed == {
        "llama3-local": (None, ""),
        "codellama-local": (None, ""),
        "embedded": (2048, SOURCE),
        "fake": (None, ""),
        "down": (None, ""),
        "down-fb": (None, ""),
    }
    assert {asked.path for asked in proxy.requests} == {"/v1/models", "/v1/model/info"}


async def test_the_route_that_hides_cut_offs_is_noted_and_the_other_is_not(backend):
    notes = {info.name: info.note for info in await backend.models()}
    note = "ollama/ route: cut-offs are reported as complete; use ollama_chat/"
    assert notes["llama3-local"] == note
    assert notes["codellama-local"] == ""
    assert (await backend.describe("llama3-local")).note == note


async def test_of_several_deployments_the_smallest_window_holds(proxy, backend):
    deployments = [
        {"model_name": "llama3-local", "model_info": {"max_input_tokens": window}}
        for window in (8192, 4096, None, "many")
    ]
    proxy.changed["/v1/model/info"] = (json.dumps({"data": [*deployments, 7]}), 200)
    assert (await backend.describe("llama3-local")).window == 4096


async def test_the_configs_window_goes_first(proxy):
    backend = LiteLLMBackend(settings(proxy.url, windows={"embedded": 999}))
    info = await backend.describe("embedded")
    await backend.close()
    assert (info.window, info.window_source) == (999, "config")


@pytest.mark.parametrize(
    "reply",
    [('{"detail":"Not Found"}', 404), ("Forbidden", 403), ('{"error":"no"}', 400), ("[]", 200)],
)
async def test_without_model_info_the_list_itself_tells_the_window(proxy, backend, reply):
    proxy.changed["/v1/model/info"] = reply
    info = await backend.describe("embedded")
    assert (info.window, info.window_source) == (2048, "max_input_tokens in /v1/models")


async def test_a_refused_key_is_said_at_the_list(proxy, backend):
    missing = exchange("litellm", "no key")
    proxy.changed["/v1/models"] = (missing.body, missing.status)
    with pytest.raises(AuthFailed):
        await backend.models()
    with pytest.raises(AuthFailed):
        await backend.describe("embedded")


async def test_a_model_behind_a_wildcard_can_be_described(backend):
    info = await backend.describe("openai/gpt-x")
    assert (info.window, info.note) == (None, "not in the server's list")


async def test_tokens_are_guessed_since_the_proxys_own_counter_guesses_too(proxy, backend):
    counted = await backend.count_tokens("embedded", (Message("user", "one two three"),))
    assert not counted.exact
    assert counted.source == "estimate: LiteLLM does not have the model's tokenizer"
    assert proxy.requests == []


async def test_a_list_that_is_none_is_a_bad_reply(proxy, backend):
    proxy.changed["/v1/models"] = ("<html>", 200)
    with pytest.raises(BadReply):
        await backend.models()
