"""A request that is lost on its way is sent again, and none that was answered is."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest

from doubles.asking import settings, text
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.backends.retry_transport import ATTEMPTS
from spadework.errors import BackendUnavailable, CutStream, Unreachable

EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
BODY = (EVENT % ("Fine.", "null") + EVENT % ("", '"stop"') + "data: [DONE]\n\n").encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%sContent-Length: %d\r\n\r\n"
LOADING_HEAD = b"HTTP/1.1 503 x\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\r\n"
CANNOT_LOAD = (
    b"HTTP/1.1 502 x\r\nContent-Type: text/plain\r\nContent-Length: 60\r\n\r\n"
    b"unable to start process: upstream command exited prematurely"
)
EMPTY = b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n"
LINE = b'{"message":{"content":"Fine."},"done":true,"done_reason":"stop"}\n'
LINES = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%b"


def answer(more=b""):
    return ANSWER % (more, len(BODY)) + BODY


def page(status):
    body = b"<html><h1>Bad Gateway</h1></html>"
    head = b"HTTP/1.1 %d x\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


@asynccontextmanager
async def serving(*replies, closes=False):
    """A server that gives each request the next of these; empty: it closes without a byte."""
    waiting, served, numbers = list(replies), [], itertools.count()

    async def converse(reader, writer):
        number = next(numbers)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                size = sum(
                    int(x.partition(":")[2]) for x in lines if x.startswith("content-length")
                )
                await reader.readexactly(size)
                served.append((number, head.decode()))
                reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                writer.write(reply)
                if not reply or closes or "connection: close" in lines:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", served


async def ask(url, kind=OpenAIBackend):
    backend = kind(settings(url, windows={"llama3-local": 2048}))
    try:
        return await text(backend)
    finally:
        await backend.close()


@pytest.mark.parametrize("lost", [b"", EMPTY % 502, EMPTY % 503, EMPTY % 504, page(502), page(504)])
async def test_what_no_byte_of_an_answer_came_for_is_sent_again(lost):
    async with serving(lost, lost, answer()) as (url, served):
        assert await ask(url) == "Fine."
    assert len(served) == 3


async def test_ollamas_client_does_so_too():
    async with serving(b"", EMPTY % 502, LINES % (len(LINE), LINE)) as (url, served):
        assert await ask(url, OllamaBackend) == "Fine."
    assert len(served) == 3


@pytest.mark.parametrize("lost", [b"", EMPTY % 502, page(503)])
async def test_it_is_sent_a_few_times_and_then_told(lost):
    async with serving(lost) as (url, served):
        with pytest.raises(BackendUnavailable) as caught:
            await ask(url)
    assert len(served) == ATTEMPTS
    assert caught.value.is_temporary
    assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize(
    "reply",
    [
        LOADING_HEAD + b'{"error":{"message":"Loading model","code":503     }}',
        b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
        CANNOT_LOAD,
    ],
    ids=["a word on why", "the server's own failure", "a model that cannot be loaded"],
)
async def test_an_answer_is_an_answer_and_nothing_is_sent_twice(reply):
    async with serving(reply) as (url, served):
        with pytest.raises(BackendUnavailable):
            await ask(url)
    assert len(served) == 1


async def test_that_a_model_cannot_be_loaded_does_not_pass_by_itself():
    async with serving(CANNOT_LOAD) as (url, _):
        with pytest.raises(BackendUnavailable) as caught:
            await ask(url)
    assert not caught.value.is_temporary


async def test_after_a_first_byte_nothing_is_sent_again():
    cut = ANSWER % (b"", len(BODY)) + BODY[: len(BODY) // 2]
    async with serving(cut, answer(), closes=True) as (url, served):
        with pytest.raises(CutStream):
            await ask(url)
    assert len(served) == 1


async def test_where_nothing_listens_nothing_is_tried_again():
    async with serving(answer()) as (url, served):
        pass
    with pytest.raises(Unreachable):
        await ask(url)
    assert served == []


async def test_a_list_that_is_lost_is_asked_for_again():
    listed = b'{"data":[{"id":"llama3-local"}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    async with serving(b"", head % len(listed) + listed) as (url, served):
        backend = OpenAIBackend(settings(url))
        assert [one.name for one in await backend.models()] == ["llama3-local"]
        await backend.close()
    assert len(served) == 2


@pytest.mark.parametrize(("limit", "connections"), [(1, 3), (4, 3), (5, 1), (75, 1)])
async def test_no_connection_is_used_again_that_its_server_may_be_closing(limit, connections):
    """The limit is known after the first answer; a connection that it was read from goes on."""
    announced = answer(b"Keep-Alive: timeout=%d, max=100\r\n" % limit)
    async with serving(announced) as (url, served):
        backend = OpenAIBackend(settings(url, windows={"llama3-local": 2048}))
        for _ in range(4):
            assert await text(backend) == "Fine."
        await backend.close()
    assert len({connection for connection, _ in served}) == connections
