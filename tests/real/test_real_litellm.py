from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace

import pytest

from doubles.asking import chunks, request, settings, text
from real.llama_server import LONG_LIST, busy_slots
from spadework.backends.litellm import LiteLLMBackend
from spadework.errors import (
    AuthFailed,
    BackendUnavailable,
    ContextExceeded,
    CoolingDown,
    ModelUnknown,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SOURCE = "max_input_tokens in LiteLLM's /v1/model/info"


@pytest.fixture
async def backend(litellm_proxy):
    backend = LiteLLMBackend(
        settings(litellm_proxy.url, api_key=litellm_proxy.key, idle_timeout=60.0)
    )
    yield backend
    await backend.close()


async def test_models_are_listed_with_their_windows(backend):
    listed = {info.name: info for info in await backend.models()}
    assert list(listed) == ["llama3-local", "codellama-local", "old-route", "down"]
    for name in ("llama3-local", "codellama-local"):
        assert (listed[name].window, listed[name].window_source) == (2048, SOURCE)
        assert listed[name].note == ""
    assert listed["old-route"].note.startswith("ollama/ route: ")


async def test_a_model_is_described_as_it_is_listed(backend):
    info = await backend.describe("llama3-local")
    assert (info.id, info.window, info.window_source) == ("koala/llama3-local", 2048, SOURCE)


@pytest.mark.parametrize("model", ["llama3-local", "codellama-local"])
async def test_a_real_model_answers(backend, model):
    got = await chunks(backend, request(model, "Say hello.", temperature=0.0, max_tokens=12))
    assert "".join(chunk.text for chunk in got).strip()
    assert {chunk.finish for chunk in got if chunk.finish} <= {"stop", "length"}
    (usage,) = (chunk.usage for chunk in got if chunk.usage)
    assert usage.prompt_tokens > 20
    assert 0 < usage.completion_tokens <= 12


async def test_probabilities_are_passed_on(backend):
    got = await chunks(backend, request(prompt="Say hello.", max_tokens=4, alternatives=5))
    tokens = [token for chunk in got for token in chunk.tokens]
    assert "".join(token.text.decode() for token in tokens) == "".join(one.text for one in got)
    assert all(token.logprob <= 0 and len(token.others) == 5 for token in tokens)


async def test_a_schema_holds_a_real_model(backend):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema["additionalProperties"] = False
    asked = request(prompt="How many legs has a dog?", schema=schema, temperature=0.0)
    assert set(json.loads(await text(backend, asked))) == {"n"}


async def test_an_unknown_model_says_where_to_add_it(backend):
    with pytest.raises(ModelUnknown) as caught:
        await text(backend, request("nope"))
    assert "`model_list`" in caught.value.hint


@pytest.mark.parametrize("key", ["sk-not-the-master", None])
async def test_a_bad_and_a_missing_key_say_what_to_set(litellm_proxy, key):
    backend = LiteLLMBackend(settings(litellm_proxy.url, api_key=key))
    for asking in (text(backend), backend.models(), backend.describe("llama3-local")):
        with pytest.raises(AuthFailed) as caught:
            await asking
        assert caught.value.hint == "set KOALA_KEY"
        assert "sk-" not in str(caught.value)
    await backend.close()


async def ask_once_warm(backend, name):
    """Ask a model that another test may have asked: the proxy says until when it is suspended."""
    while True:
        try:
            return await text(backend, request(name))
        except CoolingDown as told:
            await asyncio.sleep(told.retry_after)


async def test_a_dead_server_behind_is_unavailable_and_then_suspended(backend):
    with pytest.raises(BackendUnavailable, match="Connection error"):
        await ask_once_warm(backend, "down")
    with pytest.raises(CoolingDown) as caught:
        await text(backend, request("down"))
    assert 0 < caught.value.retry_after <= 30


async def test_a_prompt_that_is_too_long_is_refused_with_the_counts(backend):
    with pytest.raises(ContextExceeded) as caught:
        await text(backend, request(prompt="hi " * 5000))
    assert caught.value.tokens > 5000
    assert caught.value.window == 2048


async def test_closing_the_stream_stops_the_model(backend, litellm_proxy):
    asked = replace(request(prompt="Count.", schema=LONG_LIST), max_tokens=1500)
    async with aclosing(backend.chat(asked)) as stream:
        async for chunk in stream:
            if chunk.text:
                break
        assert await asyncio.to_thread(busy_slots, litellm_proxy.llama) == 1
    async with asyncio.timeout(5):
        while await asyncio.to_thread(busy_slots, litellm_proxy.llama):
            await asyncio.sleep(0.05)
