"""The embedded engine as a backend, with its real worker and the real demonstration model."""

import asyncio
import json
import os
import signal
import time
from contextlib import aclosing

import pytest

from embedded.waiting import until
from spadework.backends.base import ChatRequest, DiscoveredCapacity, Message
from spadework.backends.embedded import EmbeddedBackend
from spadework.config.models import EmbeddedConfig
from spadework.errors import BackendUnavailable, ContextExceeded, CutStream, ModelUnknown

HELLO = (Message("system", "You are brief."), Message("user", "Say hello to Zoë 👋 <|im_end|>"))


@pytest.fixture
async def backend(data_with_demo):
    assert data_with_demo.is_dir()
    backend = EmbeddedBackend(EmbeddedConfig(context=2048, slots=2))
    yield backend
    await backend.close()


def request(messages=HELLO, max_tokens=16, **more) -> ChatRequest:
    return ChatRequest("smollm2", messages, max_tokens, temperature=0.0, **more)


async def slots(backend) -> list[dict]:
    """Ask the server what its slots do."""
    reader, writer = await asyncio.open_unix_connection(backend._server.socket)
    writer.write(b"GET /slots HTTP/1.0\r\n\r\n")
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return json.loads(reply.partition(b"\r\n\r\n")[2])


async def until_free(backend) -> None:
    async def free() -> bool:
        return not any(slot["is_processing"] for slot in await slots(backend))

    await until(free)


async def until_busy(backend) -> None:
    async def busy() -> bool:
        return any(slot["is_processing"] for slot in await slots(backend))

    await until(busy)


@pytest.mark.slow
async def test_it_describes_the_model_without_starting_it(backend):
    (info,) = await backend.models()
    assert info == await backend.describe("smollm2")
    assert (info.id, info.window, info.window_source) == ("embedded/smollm2", 2048, "config")
    assert (info.loaded, info.note) == (False, "embedded demo model")
    await backend.count_tokens("smollm2", HELLO)
    assert (await backend.describe("smollm2")).loaded is True


@pytest.mark.slow
async def test_the_count_is_what_the_server_itself_counts(backend):
    counted = await backend.count_tokens("smollm2", HELLO)
    assert counted.exact
    chunks = [chunk async for chunk in backend.chat(request())]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.prompt_tokens == counted.tokens
    assert usage.completion_tokens > 0
    assert "".join(chunk.text for chunk in chunks)
    assert [chunk.finish for chunk in chunks if chunk.finish] in (["stop"], ["length"])


@pytest.mark.slow
async def test_an_answer_is_cut_off_at_the_limit_and_says_so(backend):
    story = (Message("user", "Tell a very long story."),)
    chunks = [chunk async for chunk in backend.chat(request(story, max_tokens=5))]
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["length"]


@pytest.mark.slow
async def test_a_schema_constrains_the_answer(backend):
    schema = {
        "type": "object",
        "properties": {"animal": {"enum": ["cat", "dog"]}},
        "required": ["animal"],
        "additionalProperties": False,
    }
    ask = (Message("user", "Which animal barks? Answer in JSON."),)
    chunks = [c async for c in backend.chat(request(ask, max_tokens=32, schema=schema))]
    assert json.loads("".join(chunk.text for chunk in chunks))["animal"] in {"cat", "dog"}


@pytest.mark.slow
async def test_what_does_not_fit_is_refused_with_its_count_and_the_window(backend):
    long = (Message("user", "hello there " * 2000),)
    counted = await backend.count_tokens("smollm2", long)
    with pytest.raises(ContextExceeded) as caught:
        [chunk async for chunk in backend.chat(request(long))]
    assert (caught.value.tokens, caught.value.window) == (counted.tokens, 2048)


@pytest.mark.slow
async def test_leaving_a_stream_frees_its_slot(backend):
    """How soon is measured by benchmarks/cancelling.py."""
    story = (Message("user", "Tell a very long story."),)
    async with aclosing(backend.chat(request(story, max_tokens=1500))) as chunks:
        async for chunk in chunks:
            if chunk.text:
                break
        await until_busy(backend)
    await until_free(backend)
    assert max(told_by(slot) for slot in await slots(backend)) < 1500


def told_by(slot) -> int:
    """How many tokens a slot has generated."""
    return max((token["n_decoded"] for token in slot.get("next_token", ())), default=0)


@pytest.mark.slow
async def test_a_task_cancelled_while_it_answers_frees_its_slot(backend):
    story = (Message("user", "Tell a very long story."),)
    begun = asyncio.Event()

    async def ask() -> None:
        async for chunk in backend.chat(request(story, max_tokens=1500)):
            if chunk.text:
                begun.set()

    task = asyncio.create_task(ask())
    await begun.wait()
    await until_busy(backend)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_free(backend)
    assert max(told_by(slot) for slot in await slots(backend)) < 1500


@pytest.mark.slow
async def test_a_cancelled_task_does_not_read_the_rest_of_a_long_prompt(backend):
    """The server looks up from its prompt after each batch, not only at its end."""
    long = (Message("user", "apple house river stone " * 300),)
    whole = (await backend.count_tokens("smollm2", long)).tokens

    async def ask() -> None:
        async for _ in backend.chat(request(long)):
            raise AssertionError("it answered before it was cancelled")

    task = asyncio.create_task(ask())
    await until_busy(backend)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_free(backend)
    assert max(slot.get("n_prompt_tokens", 0) for slot in await slots(backend)) < whole


@pytest.mark.slow
async def test_it_tells_what_is_loaded_and_its_slots_and_starts_nothing_for_that(backend):
    await backend.probe()
    assert await backend.learn_capacity() == DiscoveredCapacity(slots=2)
    assert await backend.loaded() == frozenset()
    assert backend._engine._worker is None
    await backend.count_tokens("smollm2", HELLO)
    assert await backend.loaded() == {"smollm2"}
    # what a real llama-server tells of itself
    assert await backend._server.learn_capacity() == DiscoveredCapacity(slots=2)
    assert await backend._server.loaded() is None
    await backend._server.probe()


@pytest.mark.slow
async def test_it_ends_when_it_is_idle_and_the_next_question_starts_it(data_with_demo):
    assert data_with_demo.is_dir()
    backend = EmbeddedBackend(EmbeddedConfig(context=512, slots=1, idle_stop=0.01))

    async def at_rest() -> bool:
        return await backend.loaded() == frozenset()

    answers = []
    for _ in range(2):
        # it answers for longer than it may be idle
        answers.append([chunk.text async for chunk in backend.chat(request())])
        await until(at_rest)
    assert answers[0]
    assert answers[0] == answers[1]
    await backend.close()


@pytest.mark.slow
async def test_a_worker_killed_between_two_questions_goes_unnoticed(backend):
    first = [chunk async for chunk in backend.chat(request())]
    worker = backend._engine._worker.process
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    second = [chunk async for chunk in backend.chat(request())]
    assert [chunk.text for chunk in second] == [chunk.text for chunk in first]


@pytest.mark.slow
async def test_a_worker_killed_in_mid_answer_is_a_fault_and_the_next_answer_comes(backend):
    story = (Message("user", "Tell a very long story."),)
    chunks = backend.chat(request(story, max_tokens=1500))
    while not (await anext(chunks)).text:
        pass
    os.kill(backend._engine._worker.process.pid, signal.SIGKILL)
    with pytest.raises(CutStream, match="embedded/smollm2: the stream broke off"):
        [chunk async for chunk in chunks]
    assert [chunk async for chunk in backend.chat(request())]


@pytest.mark.slow
async def test_no_connection_is_kept_that_the_server_might_be_closing(backend):
    await backend.count_tokens("smollm2", HELLO)
    assert [chunk async for chunk in backend.chat(request())]
    assert backend._server._client._client._transport.wrapped._pool.connections == []


@pytest.mark.slow
async def test_a_count_does_not_wait_behind_streams_that_wait_for_a_slot(backend):
    story = (Message("user", "Tell a very long story."),)
    streams = [backend.chat(request(story, max_tokens=1500)) for _ in range(20)]
    waiting = [asyncio.create_task(anext(stream)) for stream in streams]
    await backend.count_tokens("smollm2", HELLO)  # the engine has started
    await until_busy(backend)
    began = time.monotonic()
    assert (await backend.count_tokens("smollm2", HELLO)).exact
    assert time.monotonic() - began < 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for stream in streams:
        await stream.aclose()
    await until_free(backend)


@pytest.mark.slow
async def test_two_questions_run_at_once(backend):
    async def ask() -> str:
        return "".join([chunk.text async for chunk in backend.chat(request())])

    one, other = await asyncio.gather(ask(), ask())
    assert one
    assert other


@pytest.mark.usefixtures("data_with_demo")
async def test_another_name_is_unknown_and_starts_nothing():
    backend = EmbeddedBackend(EmbeddedConfig())
    for call in (
        backend.describe("llama3"),
        backend.count_tokens("llama3", HELLO),
        anext(backend.chat(ChatRequest("llama3", HELLO, 5))),
    ):
        with pytest.raises(ModelUnknown, match="embedded/llama3: the embedded model is smollm2"):
            await call
    assert backend._engine._worker is None


async def test_without_its_model_it_is_unavailable_and_says_what_to_run():
    backend = EmbeddedBackend(EmbeddedConfig())
    with pytest.raises(BackendUnavailable, match="cannot be read: No such file") as caught:
        await backend.models()
    assert "spadework embedded install" in caught.value.hint
    with pytest.raises(BackendUnavailable):
        await backend.count_tokens("smollm2", HELLO)
    await backend.close()
