from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import anyio
import pytest

from doubles.asking import chunks, request, settings, text
from doubles.contracts import exchange
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play, compact
from spadework.backends.base import Message, Usage
from spadework.backends.openai import OpenAIBackend
from spadework.errors import (
    AuthFailed,
    BackendUnavailable,
    BadReply,
    CutStream,
    Overloaded,
    RequestRejected,
)

MESSAGES = (Message("system", "Be brief."), Message("user", "one two three"))


@pytest.fixture
async def backend(openai_double):
    backend = OpenAIBackend(settings(openai_double.url))
    yield backend
    await backend.close()


async def test_a_reply_streams_as_text_then_its_finish_then_its_usage(openai_double, backend):
    openai_double.plays(reply="Hello there.", prompt_tokens=31)
    got = await chunks(backend)
    assert "".join(chunk.text for chunk in got) == "Hello there."
    assert [chunk.finish for chunk in got if chunk.finish] == ["stop"]
    assert [chunk.usage for chunk in got if chunk.usage] == [Usage(31, 2)]


async def test_the_request_says_what_is_asked_and_always_streams(openai_double, backend):
    schema = {"type": "object", "properties": {"s": {"type": "string"}}}
    await text(backend, request(temperature=0.2, schema=schema, max_tokens=7))
    (asked,) = openai_double.chats
    assert asked.json == {
        "model": "llama3-local",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 7,
        "temperature": 0.2,
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
    }


async def test_half_a_character_in_the_prompt_is_replaced(openai_double, backend):
    await text(backend, request(prompt="broken \ud83d emoji"))
    assert openai_double.chats[0].json["messages"][0]["content"] == "broken ? emoji"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_what_the_server_marks_as_thinking_is_kept_apart(openai_double, backend, field):
    openai_double.plays(reply="Four.", thinking="2 + 2", thinking_field=field)
    got = await chunks(backend)
    assert "".join(chunk.thinking for chunk in got) == "2 + 2"
    assert "".join(chunk.text for chunk in got) == "Four."


async def test_a_finish_of_length_is_passed_on(openai_double, backend):
    openai_double.plays(finish="length")
    assert (await chunks(backend))[-2].finish == "length"


async def test_odd_but_harmless_events_are_passed_over(openai_double, backend):
    events = [
        {"choices": []},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": ["parts"]}, "finish_reason": ""}]},
        {"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": "many"}},
    ]
    openai_double.plays(raw="".join(f"data: {compact(event)}\n\n" for event in events).encode())
    got = await chunks(backend)
    assert [(chunk.text, chunk.finish) for chunk in got] == [("ok", "stop"), ("", None)]
    assert got[1].usage == Usage(None, None)


@pytest.mark.parametrize(
    ("server", "stream", "reply", "finish"),
    [
        ("litellm", "stream embedded", "Welcome to a", "length"),
        ("litellm", "stream llama3-local", "hello\n\n", "stop"),
        ("litellm", "stream codellama-local", 'The term "', "length"),
        ("llama-swap", "stream", "Hello!", "length"),
    ],
)
async def test_recorded_streams_are_read(openai_double, backend, server, stream, reply, finish):
    openai_double.plays(Play.answering(exchange(server, stream)))
    got = await chunks(backend)
    assert "".join(chunk.text for chunk in got) == reply
    assert [chunk.finish for chunk in got if chunk.finish] == [finish]
    assert got[-1].usage
    assert got[-1].usage.prompt_tokens


@pytest.mark.slow
async def test_a_recorded_stream_cut_at_any_byte_is_an_error_or_whole(openai_double, backend):
    stream = exchange("llama-swap", "stream")
    body = stream.body.encode()
    text_comes = body.index(b"\n\n", body.index(b'"Hello"')) + 2
    finish_ends = body.index(b"\n\n", body.index(b'"length"')) + 2
    for way, step in (("ends_after", 1), ("cut_after", 5)):
        for size in range(0, len(body), step):
            openai_double.plays(Play.answering(stream, **{way: size}))
            if size >= finish_ends:
                assert await text(backend) == "Hello!"
                continue
            nothing_came = way == "cut_after" and size < text_comes
            with pytest.raises(BackendUnavailable if nothing_came else CutStream):
                await text(backend)


async def test_a_stream_that_ends_without_a_finish_is_an_error(openai_double, backend):
    openai_double.plays(finish=None)
    with pytest.raises(CutStream, match="koala/llama3-local: the stream ended before"):
        await text(backend)


async def test_a_connection_dropped_after_the_finish_does_no_harm(openai_double, backend):
    body = exchange("llama-swap", "stream").body.encode()
    finished = body.index(b"\n\n", body.index(b'"length"')) + 2
    openai_double.plays(raw=body, cut_after=finished + 5)
    assert await text(backend) == "Hello!"


async def test_an_error_in_mid_stream_is_a_cut_stream(openai_double, backend):
    openai_double.plays(reply="one two three", error_after=2, error="CUDA out of memory")
    with pytest.raises(CutStream, match='broke off; the server wrote: "CUDA out of memory"'):
        await text(backend)


async def test_an_error_before_the_first_token_is_the_error_itself(openai_double, backend):
    openai_double.plays(error_after=0, error="CUDA out of memory")
    with pytest.raises(BackendUnavailable, match="CUDA out of memory"):
        await text(backend)


@pytest.mark.parametrize(
    "garbage", [b'data: {"choices": [{"del\n\n', b"data: 7\n\n", b"data: \xff\n\n"]
)
async def test_a_garbled_event_is_a_bad_reply(openai_double, backend, garbage):
    openai_double.plays(raw=garbage)
    with pytest.raises(BadReply):
        await text(backend)


@pytest.mark.parametrize(
    ("media", "body"),
    [("text/html", "<html><body>Router login</body></html>"), ("application/json", '{"ok":true}')],
)
async def test_a_reply_that_is_no_stream_is_a_bad_reply(openai_double, backend, media, body):
    openai_double.plays(body=body, content_type=media)
    with pytest.raises(BadReply, match=f"{media} where a stream") as caught:
        await text(backend)
    assert caught.value.hint == "see whether `url` and `kind` in [backends.koala] are right"


async def test_a_silent_server_is_unavailable_and_after_its_first_word_it_has_cut_the_stream():
    with OpenAIDouble() as server:
        backend = OpenAIBackend(settings(server.url, first_token_timeout=0.2, idle_timeout=0.1))
        server.plays(hangs_after=0)
        with pytest.raises(BackendUnavailable, match="fell silent") as caught:
            await text(backend)
        assert "first_token_timeout" in caught.value.hint
        server.plays(hangs_after=2)
        with pytest.raises(CutStream, match="fell silent"):
            await text(backend)
        await backend.close()


async def test_a_server_that_does_not_know_stream_options_is_asked_without_from_then_on(
    openai_double, backend
):
    openai_double.plays(unbidden="stream_options")
    assert await asyncio.gather(*(text(backend) for _ in range(5))) == ["Hello there, welcome."] * 5
    asked = len(openai_double.chats)
    await text(backend)
    assert len(openai_double.chats) == asked + 1
    assert "stream_options" not in openai_double.chats[-1].json


async def test_another_refusal_is_not_tried_again(openai_double, backend):
    openai_double.plays(unbidden="max_tokens")
    with pytest.raises(RequestRejected, match="extra fields not permitted: max_tokens"):
        await text(backend)
    assert len(openai_double.chats) == 1


async def test_a_busy_server_is_not_tried_again(openai_double, backend):
    openai_double.plays(status=429, body='{"error":"slow down"}', headers={"Retry-After": "7"})
    with pytest.raises(Overloaded) as caught:
        await text(backend)
    assert caught.value.retry_after == 7
    assert len(openai_double.chats) == 1


async def test_closing_the_generator_closes_the_connection(openai_double, backend):
    openai_double.plays(reply="word " * 50, hangs_after=10)
    async with aclosing(backend.chat(request())) as stream:
        async for chunk in stream:
            if chunk.text:
                break
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)


async def test_cancelling_before_the_first_token_closes_the_connection(openai_double, backend):
    openai_double.plays(hangs_after=0)
    task = asyncio.create_task(text(backend))
    assert await asyncio.to_thread(openai_double.wait_until_asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)


async def test_leaving_an_anyio_scope_closes_the_connection(openai_double, backend):
    openai_double.plays(reply="word " * 50, hangs_after=10)
    with anyio.CancelScope() as scope:
        async for chunk in backend.chat(request()):
            if chunk.text:
                scope.cancel()
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)


async def test_a_hundred_streams_run_at_once(openai_double, backend):
    openai_double.plays(reply="a b c", pause=0.02)
    async with asyncio.timeout(20):
        replies = await asyncio.gather(*(text(backend) for _ in range(100)))
    assert replies == ["a b c"] * 100
    assert openai_double.connections > 64


async def test_a_connection_is_used_again(openai_double, backend):
    for _ in range(5):
        await text(backend)
    assert openai_double.connections == 1


async def test_the_key_is_sent_and_a_refused_key_says_what_to_set():
    with OpenAIDouble(key="right") as server:
        right, wrong = (OpenAIBackend(settings(server.url, api_key=k)) for k in ("right", "wrong"))
        none = OpenAIBackend(settings(server.url))
        assert await text(right)
        for backend, words in ((wrong, "the key was refused"), (none, "it wants a key")):
            with pytest.raises(AuthFailed, match=words) as caught:
                await text(backend)
            assert caught.value.hint == "set KOALA_KEY"
        for backend in (right, wrong, none):
            await backend.close()


async def test_models_are_listed_in_order_with_the_window_that_the_server_tells(openai_double):
    openai_double.entries = [
        {"id": "llama", "meta": {"n_ctx": 2048, "n_ctx_train": 8192}},
        {"id": "vllm", "max_model_len": 4096},
        {"id": "studio", "loaded_context_length": 5000, "max_context_length": 32768},
        {"id": "router", "context_length": 131072},
        {"id": "silent", "meta": None},
    ]
    backend = OpenAIBackend(settings(openai_double.url + "/v1", windows={"silent": 999}))
    listed = {info.id: (info.window, info.window_source) for info in await backend.models()}
    await backend.close()
    assert listed == {
        "koala/llama": (2048, "meta.n_ctx in /v1/models"),
        "koala/vllm": (4096, "max_model_len in /v1/models"),
        "koala/studio": (5000, "loaded_context_length in /v1/models"),
        "koala/router": (131072, "context_length in /v1/models"),
        "koala/silent": (999, "config"),
    }


async def test_models_that_do_other_work_are_left_out_or_noted(openai_double, backend):
    openai_double.entries = [
        {"id": "chat", "mode": "chat"},
        {"id": "vectors", "mode": "embedding"},
        {"id": "studio-vectors", "type": "embeddings"},
        {"id": "nomic-embed-text"},
        {"id": 7},
        "no entry",
    ]
    listed = {info.name: info.note for info in await backend.models()}
    assert listed == {"chat": "", "nomic-embed-text": "by its name an embedding model"}


@pytest.mark.parametrize("body", ["[]", "{}", '{"data":7}', "not json", '"text"'])
async def test_a_list_of_another_shape_is_a_bad_reply(openai_double, backend, body):
    openai_double.answer = lambda _, wire: wire.send(body)
    with pytest.raises(BadReply, match="not the reply of a server of kind 'openai'"):
        await backend.models()


async def test_a_model_is_described_under_its_alias_too(openai_double, backend):
    openai_double.entries = [{"id": "qwen", "aliases": ["coder"], "meta": {"n_ctx": 512}}]
    assert (await backend.describe("coder")).window == 512
    assert (await backend.describe("coder")).name == "coder"


async def test_a_model_that_is_not_listed_is_described_as_such(backend):
    info = await backend.describe("hidden")
    assert (info.window, info.note) == (None, "not in the server's list")


async def test_a_server_without_a_list_can_still_be_described():
    with OpenAIDouble() as server:
        server.answer = lambda _, wire: wire.send("404 page not found", status=404)
        backend = OpenAIBackend(settings(server.url, windows={"any": 700}))
        assert (await backend.describe("any")).window == 700
        with pytest.raises(BadReply):
            await backend.models()
        await backend.close()


@pytest.mark.parametrize(
    ("tokenizer", "tokens", "source"),
    [("llama.cpp", 8, "llama.cpp's tokenizer"), ("vllm", 11, "vLLM's tokenizer")],
)
async def test_tokens_are_counted_by_the_servers_tokenizer(tokenizer, tokens, source):
    with OpenAIDouble(tokenizer=tokenizer) as server:
        backend = OpenAIBackend(settings(server.url + "/v1/"))
        counted = await backend.count_tokens("llama3-local", MESSAGES)
        await backend.close()
    assert (counted.tokens, counted.exact, counted.source) == (tokens, True, source)


async def test_llama_cpp_is_asked_to_tokenize_as_it_does_for_a_chat():
    with OpenAIDouble(tokenizer="llama.cpp") as server:
        backend = OpenAIBackend(settings(server.url))
        await backend.count_tokens("llama3-local", MESSAGES)
        await backend.close()
        (asked,) = server.asked("/tokenize")
    assert asked.json["add_special"]
    assert asked.json["parse_special"]
    assert asked.json["content"].startswith("<|system|>")


async def test_a_server_without_a_tokenizer_is_asked_for_it_once(openai_double, backend):
    counts = [await backend.count_tokens("llama3-local", MESSAGES) for _ in range(3)]
    assert {(count.exact, count.source) for count in counts} == {(False, "estimate")}
    assert [asked.path for asked in openai_double.requests] == ["/apply-template", "/tokenize"]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_every_way_to_have_no_tokenizer_is_remembered(openai_double, backend, status):
    openai_double.answer = lambda _, wire: wire.send("no such thing", status=status)
    assert not (await backend.count_tokens("llama3-local", MESSAGES)).exact
    await backend.count_tokens("llama3-local", MESSAGES)
    assert len(openai_double.requests) == 2


async def test_lm_studio_says_with_200_that_it_has_no_tokenizer(openai_double, backend):
    body = json.dumps({"error": "Unexpected endpoint or method. (POST /tokenize)"})
    openai_double.answer = lambda _, wire: wire.send(body)
    assert not (await backend.count_tokens("llama3-local", MESSAGES)).exact
    await backend.count_tokens("llama3-local", MESSAGES)
    assert len(openai_double.requests) == 2


async def test_a_refused_count_is_a_guess_this_once(openai_double, backend):
    refusal = '{"error":{"message":"System role not supported"}}'
    openai_double.answer = lambda _, wire: wire.send(refusal, status=400)
    for asked in (1, 2):
        assert not (await backend.count_tokens("llama3-local", MESSAGES)).exact
        assert len(openai_double.requests) == asked


async def test_a_closed_backend_opens_again_when_it_is_used(backend):
    assert await text(backend)
    await backend.close()
    assert await text(backend)
