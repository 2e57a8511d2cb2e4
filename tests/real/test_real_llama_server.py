from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from doubles.asking import chunks, request, settings, text
from real.llama_server import LONG_LIST, WINDOW, busy_slots
from spadework.backends.base import Message
from spadework.backends.openai import OpenAIBackend
from spadework.backends.token_counts import lower_bound, upper_bound
from spadework.errors import ContextExceeded

pytestmark = pytest.mark.slow


@pytest.fixture
async def backend(llama_server):
    backend = OpenAIBackend(settings(llama_server, idle_timeout=60.0))
    yield backend
    await backend.close()


async def test_the_window_is_that_of_one_slot(backend):
    (info,) = await backend.models()
    assert (info.window, info.window_source) == (WINDOW, "meta.n_ctx in /v1/models")


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", "hi"),),
        (Message("system", "Be brief."), Message("user", "One\n\ntwo <|im_end|> 三 🙂 " * 20)),
        (Message("user", "a"), Message("assistant", "b"), Message("user", "c")),
    ],
)
async def test_the_count_is_exactly_what_the_server_then_reads(backend, messages):
    counted = await backend.count_tokens("any", messages)
    asked = replace(request("any", max_tokens=1), messages=messages)
    (usage,) = (chunk.usage for chunk in await chunks(backend, asked) if chunk.usage)
    assert counted.exact
    assert counted.tokens == usage.prompt_tokens
    assert lower_bound(messages) <= counted.tokens <= upper_bound(messages)


async def test_a_prompt_that_is_too_long_is_refused_with_the_counts(backend):
    asked = request(prompt="hi " * 5000)
    counted = await backend.count_tokens("any", asked.messages)
    with pytest.raises(ContextExceeded) as caught:
        await text(backend, asked)
    assert (caught.value.tokens, caught.value.window) == (counted.tokens, WINDOW)


async def test_closing_the_stream_stops_the_model(backend, llama_server):
    asked = replace(request(prompt="Count.", schema=LONG_LIST), max_tokens=1500)
    async with aclosing(backend.chat(asked)) as stream:
        async for chunk in stream:
            if chunk.text:
                break
        assert await asyncio.to_thread(busy_slots, llama_server) == 1
    async with asyncio.timeout(5):
        while await asyncio.to_thread(busy_slots, llama_server):
            await asyncio.sleep(0.05)
