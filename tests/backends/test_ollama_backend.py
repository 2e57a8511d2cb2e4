from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from doubles.asking import chunks, request, settings, text
from doubles.contracts import exchange
from doubles.ollama import OllamaDouble
from doubles.plays import Play
from spadework.backends.base import Chunk, Message, Usage
from spadework.backends.ollama import OllamaBackend, full_name
from spadework.backends.ollama_windows import BELIEVED_SECONDS, NOT_TOLD_IN_TIME
from spadework.backends.token_counts import lower_bound
from spadework.errors import (
    BackendUnavailable,
    BadReply,
    ContextExceeded,
    CutStream,
    ModelUnknown,
)

ASKED = request("smollm2")


@pytest.fixture
async def backend(ollama_double):
    backend = OllamaBackend(settings(ollama_double.url))
    yield backend
    await backend.close()


async def test_a_reply_streams_as_text_then_its_finish_and_its_usage(ollama_double, backend):
    ollama_double.plays(reply="Hello, welcome", prompt_tokens=11)
    assert await chunks(backend, ASKED) == [
        Chunk("Hello,"),
        Chunk(" welcome"),
        Chunk(finish="stop", usage=Usage(11, 2)),
    ]


async def test_the_request_forbids_to_cut_the_input_and_changes_no_launch_option_but_num_ctx(
    ollama_double, backend
):
    schema = {"type": "object", "additionalProperties": False}
    await text(backend, request("smollm2", max_tokens=7, temperature=0.2, schema=schema))
    assert ollama_double.chats[0].json == {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "truncate": False,
        "options": {"num_ctx": 8192, "num_predict": 7, "temperature": 0.2},
        "format": schema,
    }


async def test_thinking_is_kept_apart(ollama_double, backend):
    ollama_double.plays(reply="Four.", thinking="2 + 2")
    got = await chunks(backend, ASKED)
    assert (got[0].thinking, got[0].text) == ("2 + 2", "")
    assert "".join(chunk.text for chunk in got) == "Four."


@pytest.mark.parametrize(
    ("what", "reply", "finish", "prompt_tokens"),
    [
        ("stream", "Hello, welcome", "length", 11),
        ("short", "Hello, welcome", "length", 11),
        ("empty messages = load", "", "load", None),
        ("format schema", '{\n  "sentiment" : "neutral"\n}', "stop", 16),
        ("multi msg trunc 1024", "message 21 bl", "length", 945),
    ],
)
async def test_recorded_replies_are_read(
    ollama_double, backend, what, reply, finish, prompt_tokens
):
    ollama_double.plays(raw=exchange("ollama", what).body.encode())
    got = await chunks(backend, ASKED)
    assert "".join(chunk.text for chunk in got) == reply
    assert got[-1].finish == finish
    assert got[-1].usage.prompt_tokens == prompt_tokens


async def test_a_reply_without_done_reason_is_one_of_an_old_ollama(ollama_double, backend):
    ollama_double.plays(raw=b'{"message":{"content":"ok"},"done":true}\n')
    assert await chunks(backend, ASKED) == [Chunk("ok", finish="stop", usage=Usage())]


async def test_a_stream_cut_at_any_byte_is_an_error_or_whole(ollama_double, backend):
    body = exchange("ollama", "stream").body.encode()
    # At a proper end the last line needs no line end to be read; at a dropped connection it does.
    for way, step, whole in (("ends_after", 1, len(body) - 1), ("cut_after", 3, len(body))):
        for size in range(0, len(body) + 1, step):
            ollama_double.plays(raw=body, **{way: size})
            if size >= whole:
                assert await text(backend, ASKED) == "Hello, welcome"
                continue
            with pytest.raises((CutStream, BadReply, BackendUnavailable)):
                await text(backend, ASKED)


async def test_a_stream_that_ends_without_done_is_an_error(ollama_double, backend):
    ollama_double.plays(finish=None)
    with pytest.raises(CutStream, match="koala/smollm2: the stream ended before"):
        await text(backend, ASKED)


async def test_a_runner_killed_in_mid_stream_is_a_cut_stream(ollama_double, backend):
    ollama_double.plays(Play.answering(exchange("ollama", "stream, runner killed")))
    with pytest.raises(
        CutStream, match=r"broke off; the server wrote: \"an error was .* unexpected EOF"
    ):
        await text(backend, ASKED)


@pytest.mark.parametrize(
    "error", ["llama runner process has terminated", {"message": "terminated"}, ["terminated"]]
)
async def test_an_error_before_the_first_token_is_the_error_itself(ollama_double, backend, error):
    ollama_double.plays(error_after=0, error=error)
    with pytest.raises((BackendUnavailable, BadReply)):
        await text(backend, ASKED)


@pytest.mark.parametrize("line", [b"[1]\n", b"7\n", b"{\n", b"\xff\n", b"\n", b"{}\n", b"null\n"])
async def test_a_broken_line_is_a_bad_reply(ollama_double, backend, line):
    ollama_double.plays(raw=b'{"message":{"content":"ok"},"done":false}\n' + line)
    with pytest.raises(BadReply):
        await text(backend, ASKED)


async def test_a_prompt_that_is_too_long_is_refused_with_the_counts(backend):
    with pytest.raises(ContextExceeded) as caught:
        await text(backend, request("smollm2", "word " * 9000))
    assert (caught.value.tokens, caught.value.window) == (9000, 8192)


async def test_an_old_ollama_that_cuts_the_input_betrays_itself_by_its_count():
    with OllamaDouble(truncates_silently=True) as server:
        backend = OllamaBackend(settings(server.url))
        asked = request("smollm2", "word " * 9000)
        got = await chunks(backend, asked)
        await backend.close()
    assert got[-1].usage.prompt_tokens == 8192 // 2 + 2
    assert got[-1].usage.prompt_tokens < lower_bound(asked.messages)


async def test_an_unknown_model_says_how_to_get_it(ollama_double, backend):
    for asking in (backend.describe("nope"), text(backend, request("nope"))):
        with pytest.raises(ModelUnknown) as caught:
            await asking
        assert caught.value.hint.startswith("run `ollama pull nope")
    assert ollama_double.loads == []


async def test_closing_the_generator_closes_the_connection(ollama_double, backend):
    ollama_double.plays(reply="word " * 50, hangs_after=10)
    async with aclosing(backend.chat(ASKED)) as stream:
        async for _ in stream:
            break
    assert await asyncio.to_thread(ollama_double.chats[0].wait_until_left)


async def test_cancelling_closes_the_connection(ollama_double, backend):
    ollama_double.plays(hangs_after=1)
    await backend.describe("smollm2")
    task = asyncio.create_task(text(backend, ASKED))
    async with asyncio.timeout(10):
        while not ollama_double.chats:
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ollama_double.chats[0].wait_until_left)


async def test_num_ctx_is_sized_once_for_all_first_calls_at_once(ollama_double, backend):
    names = ["smollm2", "smollm2:latest"] * 5
    await asyncio.gather(*(text(backend, request(name)) for name in names))
    assert {chat.json["options"]["num_ctx"] for chat in ollama_double.chats} == {8192}
    assert len(ollama_double.asked("/api/show")) == 1
    assert [load.window for load in ollama_double.loads] == [8192]


async def test_a_model_that_is_loaded_keeps_its_window_whoever_loaded_it(ollama_double, backend):
    assert (await backend.describe("smollm2")).window == 8192
    for window in (2048, 1024, 4096):
        ollama_double.load("smollm2", window)
        info = await backend.describe("smollm2")
        await text(backend, ASKED)
        assert (info.window, info.loaded) == (window, True)
        assert info.window_source == "context_length of the loaded model in /api/ps"
        assert ollama_double.chats[-1].json["options"]["num_ctx"] == window
    ollama_double.unload("smollm2")
    assert (await backend.describe("smollm2")).window == 8192
    assert ollama_double.loads == []


async def test_a_chat_goes_by_what_it_was_described_with(ollama_double, backend):
    """So that a prompt is fitted into the window that is asked for."""
    ollama_double.load("smollm2", 2048)
    await backend.describe("smollm2")
    looks = len(ollama_double.asked("/api/ps"))
    await text(backend, ASKED)
    assert len(ollama_double.asked("/api/ps")) == looks


async def test_a_chat_looks_again_after_two_seconds(ollama_double, backend):
    now = [100.0]
    backend._windows._clock = lambda: now[0]
    await backend.describe("smollm2")
    ollama_double.load("smollm2", 2048)
    now[0] += BELIEVED_SECONDS + 0.1
    await text(backend, ASKED)
    assert ollama_double.loads == []


async def test_a_description_is_asked_for_once_until_the_model_is_another(ollama_double, backend):
    for _ in range(3):
        await backend.describe("smollm2")
        await backend.models()
    assert len(ollama_double.asked("/api/show")) == 1
    ollama_double.modelfile = "num_ctx 2048"
    assert (await backend.describe("smollm2")).window == 2048
    (info,) = await backend.models()
    assert (info.window, info.window_source) == (2048, "num_ctx in the model's Modelfile")
    assert len(ollama_double.asked("/api/show")) == 2


@pytest.mark.parametrize(
    ("trained", "modelfile", "windows", "window", "source"),
    [
        (8192, "", {"smollm2": 16384}, 16384, "config"),
        (8192, "", {"smollm2:latest": 700}, 700, "config"),
        (131072, "stop x\nnum_ctx                        32768", {}, 32768, "num_ctx in the model"),
        (2048, "", {}, 2048, "context_length of the model in /api/show"),
        (8192, "num_ctx 32768", {}, 8192, "context_length of the model in /api/show, its num_ctx"),
        (131072, "", {}, 8192, "the num_ctx that Spadework asks for"),
        (None, "", {}, 8192, "the num_ctx that Spadework asks for"),
    ],
)
async def test_a_window_comes_from_the_first_that_knows_it(
    trained, modelfile, windows, window, source
):
    with OllamaDouble(trained=trained, modelfile=modelfile) as server:
        backend = OllamaBackend(settings(server.url, windows=windows))
        (listed,) = await backend.models()
        info = await backend.describe("smollm2")
        await text(backend, ASKED)
        await backend.close()
        asked = server.chats[0].json["options"]["num_ctx"]
    assert (info.window, info.loaded, asked) == (window, False, window)
    assert (listed.window, listed.window_source) == (info.window, info.window_source)
    assert info.window_source.startswith(source)


async def test_a_failed_sizing_is_tried_again(ollama_double, backend):
    ollama_double.names = []
    with pytest.raises(ModelUnknown):
        await backend.describe("smollm2")
    ollama_double.names = ["smollm2:latest"]
    assert (await backend.describe("smollm2")).window == 8192


async def test_models_are_listed_without_those_that_only_embed(ollama_double, backend):
    tags = exchange("ollama", "tags").body
    answer = ollama_double.answer

    async def answer_tags(asked, wire):
        await (wire.send(tags) if asked.path == "/api/tags" else answer(asked, wire))

    ollama_double.answer = answer_tags
    ollama_double.load("smollm2", 4096)
    (info,) = await backend.models()
    assert (info.id, info.window, info.loaded) == ("koala/smollm2:latest", 4096, True)
    assert {asked.path for asked in ollama_double.requests} == {"/api/tags", "/api/ps"}


@pytest.mark.slow
async def test_a_list_asks_for_eight_descriptions_at_once_and_not_for_ever():
    class Slow(OllamaDouble):
        at_once = most = 0

        async def answer(self, asked, wire):
            if asked.path != "/api/show":
                return await super().answer(asked, wire)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                if len(self.asked("/api/show")) > 20:
                    await wire.rest()
                return await super().answer(asked, wire)
            finally:
                self.at_once -= 1

    with Slow(*(f"m{number}" for number in range(200))) as server:
        backend = OllamaBackend(settings(server.url))
        listed = await backend.models()
        await backend.close()
    assert (len(listed), server.most) == (200, 8)
    known = [info for info in listed if info.window]
    assert {info.window for info in known} == {8192}
    assert len(known) == 20
    unknown = {info.window_source for info in listed if info.window is None}
    assert unknown == {NOT_TOLD_IN_TIME}


async def test_the_answer_is_bounded_by_what_the_window_leaves(ollama_double, backend):
    ollama_double.load("smollm2", 2048)
    for words, most in ((1, 1900), (600, 1400), (1800, 256)):
        asked = request("smollm2", "barn " * words, max_tokens=10_000)
        await text(backend, asked)
        bound = ollama_double.chats[-1].json["options"]["num_predict"]
        assert (bound == 256) if most == 256 else (most <= bound < 2048 - words)
    await text(backend, request("smollm2", "barn " * 1800, max_tokens=20))
    assert ollama_double.chats[-1].json["options"]["num_predict"] == 20


async def test_a_reply_that_outgrew_the_window_is_no_answer(ollama_double, backend):
    """Ollama has then dropped the prompt's beginning; it says so nowhere."""
    ollama_double.load("smollm2", 1024)
    ollama_double.plays(prompt_tokens=1000, completion_tokens=24)
    await text(backend, ASKED)
    ollama_double.plays(prompt_tokens=1000, completion_tokens=25)
    with pytest.raises(ContextExceeded, match="1000 tokens and the 25 of the reply") as caught:
        await text(backend, ASKED)
    assert (caught.value.tokens, caught.value.window) == (1000, 1024)


async def test_a_window_that_the_config_claims_is_held_against_the_one_that_ollama_gives():
    with OllamaDouble(trained=2048) as server:
        server.plays(prompt_tokens=2000, completion_tokens=100)
        backend = OllamaBackend(settings(server.url, windows={"smollm2": 16384}))
        await backend.describe("smollm2")
        with pytest.raises(ContextExceeded, match="the window of 2048 together"):
            await text(backend, ASKED)
        await backend.close()


@pytest.mark.parametrize("body", ["[]", "{}", "not json", '{"models":7}', "null"])
async def test_a_list_of_another_shape_is_a_bad_reply(ollama_double, backend, body):
    ollama_double.answer = lambda _, wire: wire.send(body)
    with pytest.raises(BadReply):
        await backend.models()


async def test_tokens_are_guessed_and_called_a_guess(ollama_double, backend):
    counted = await backend.count_tokens("smollm2", (Message("user", "one two three"),))
    assert (counted.exact, counted.source) == (False, "estimate: Ollama offers no tokenizer")
    assert ollama_double.requests == []


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("smollm2", "smollm2:latest"),
        ("smollm2:135m", "smollm2:135m"),
        ("hf.co/me/model", "hf.co/me/model:latest"),
        ("host:5000/me/model", "host:5000/me/model:latest"),
    ],
)
def test_a_name_without_a_tag_means_the_latest(name, full):
    assert full_name(name) == full
