"""Lines to messages and back, whatever bytes come."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.mcp.jsonrpc import (
    BUSY,
    MOST_LISTENING,
    MOST_WAITING,
    NoMessage,
    Traffic,
    messages,
    parse,
)
from spadework.shim.line_buffer import LONGEST_LINE

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def test_a_message_is_parsed():
    assert parse(json.dumps(PING).encode()).id == 1


def test_half_a_character_becomes_a_question_mark():
    line = json.dumps(PING | {"params": {"text": "hi \ud83d"}}).encode()
    assert parse(line).params == {"text": "hi ?"}


@pytest.mark.parametrize(
    ("line", "code", "identity"),
    [
        (b"garbage", -32700, None),
        (b"\xff\xfe", -32700, None),
        (b"[" * 100_000, -32700, None),
        (b"[]", -32600, None),
        (b'{"id": 5}', -32600, 5),
        (b'{"id": "a", "jsonrpc": "1.0", "method": "x"}', -32600, "a"),
        (b'{"id": [1], "method": 2}', -32600, None),
    ],
)
def test_anything_else_has_an_answer_with_its_id_if_it_has_one(line, code, identity):
    with pytest.raises(NoMessage) as caught:
        parse(line)
    answer = json.loads(caught.value.answer)
    assert (answer["error"]["code"], answer["id"]) == (code, identity)


def answer_to(line):
    """The answer to a line that is no message; None to one that is."""
    try:
        parse(line)
    except NoMessage as error:
        return json.loads(error.answer)
    return None


@given(values)
def test_no_json_breaks_it(value):
    answer = answer_to(json.dumps(value).encode())
    assert answer is None or answer["error"]["code"] in {-32700, -32600}


@given(st.binary(max_size=100))
def test_no_bytes_break_it(line):
    answer = answer_to(line)
    assert answer is None or answer["jsonrpc"] == "2.0"


async def through(data, limit=2**16):
    """What the server is given of these bytes, and what the client is sent."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    sent = []

    async def send(line):
        sent.append(json.loads(line))

    async with messages(reader, send, Traffic(), longest=limit) as (read, write):
        received = [item.message.id async for item in read]
        await write.aclose()
    return received, sent


async def test_good_lines_go_through_and_bad_ones_are_answered():
    first, second, third = (json.dumps(PING | {"id": one}).encode() for one in (1, 2, 3))
    received, sent = await through(first + b"\n\nnonsense\n" + second + b"\n" + third)
    assert received == [1, 2, 3]
    assert [answer["error"]["code"] for answer in sent] == [-32700]


async def test_a_line_that_is_too_long_is_answered_and_the_next_one_is_read():
    ping = json.dumps(PING).encode()
    received, sent = await through(b'"' + b"x" * 5000 + b'"\n' + ping + b"\n", limit=1000)
    assert received == [1]
    assert "longer than" in sent[0]["error"]["message"]


LIST = {"jsonrpc": "2.0", "method": "tools/list"}
CALL = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x"}}


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":"%s"}', 7),
        (b'{"method":"tools/call","params":{"id":5,"a":"%s"},"jsonrpc":"2.0","id":"a-7"}', "a-7"),
        (b'{"method":"x","params":{"a":"%s","id":5}}', None),
        (b'{"params":{"id":5,"a":"%s"},"id":{"id":7}}', None),
    ],
)
async def test_a_line_that_is_too_long_is_refused_by_its_id_where_that_is_plain(line, identity):
    _, [refused] = await through(line.replace(b"%s", b"x" * 90_000) + b"\n", limit=50_000)
    assert refused["id"] == identity


@pytest.mark.parametrize(
    "params",
    [b"[" + b"[]," * 60_000 + b"[]]", b'["a"' + b',"b"' * 60_000 + b"]", b"[" * 101 + b"]" * 101],
)
def test_a_message_of_too_many_values_or_levels_is_refused(params):
    with pytest.raises(NoMessage) as caught:
        parse(b'{"jsonrpc": "2.0", "id": 3, "method": "x", "params": {"a": %s}}' % params)
    assert json.loads(caught.value.answer)["id"] == 3


@given(st.text(alphabet='[]{},:"\\ab', min_size=1))
def test_what_is_within_a_text_does_not_count(text):
    quoted = json.dumps(text * (200_000 // len(text)))
    line = b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"text": %s}}' % quoted.encode()
    assert parse(line).params["text"].startswith(text)


@given(values)
def test_a_long_message_is_the_same_as_a_short_one(value):
    message = PING | {"params": {"a": value, "text": "x"}}
    long = PING | {"params": {"a": value, "text": "x" * 300_000}}
    short = parse(json.dumps(message).encode())
    assert parse(json.dumps(long).encode()).params["a"] == short.params["a"]
    assert type(parse(json.dumps(long).encode())) is type(short)


class Flooding:
    """A client that sends requests for ever, and counts what is taken of them."""

    def __init__(self, request, *first):
        self.request, self.sent, self.first = request, 0, list(first)

    async def read(self, _=-1):
        await asyncio.sleep(0)
        if self.first:
            return self.first.pop(0)
        self.sent += 1
        return json.dumps(self.request | {"id": self.sent}).encode() + b"\n"


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize("request_", [LIST, CALL])
async def test_a_flood_is_refused_and_what_is_cancelled_makes_room(request_):
    flooding, sent, traffic = Flooding(request_), [], Traffic()
    enough = asyncio.Event()

    async def send(line):
        sent.append(json.loads(line))
        if len(sent) == 20:
            flooding.first.append(
                b'{"jsonrpc": "2.0", "method": "notifications/cancelled", '
                b'"params": {"requestId": 5}}\n'
            )
        if len(sent) == 40:
            await enough.wait()  # it does not read any more

    async with messages(flooding, send, traffic) as (read, write):
        received = []

        async def take():
            async for item in read:
                received.append(item.message)  # noqa: PERF401 - it is looked at while it grows

        taking = asyncio.create_task(take())
        await until(lambda: len(sent) == 40)
        taken = flooding.sent
        for _ in range(1000):
            await asyncio.sleep(0)
        assert flooding.sent == taken
        assert {one["error"]["code"] for one in sent} == {BUSY}
        assert len(traffic.waiting) == MOST_WAITING
        requests = [one.id for one in received if hasattr(one, "id")]
        assert len(requests) == MOST_WAITING + 1  # the one that took the room of what is cancelled
        taking.cancel()
        enough.set()
        await write.aclose()
        await read.aclose()


async def test_an_id_that_is_under_way_is_refused():
    ping = json.dumps(PING).encode() + b"\n"
    received, sent = await through(ping * 3)
    assert received == [1]
    assert [one["error"]["code"] for one in sent] == [-32600, -32600]


async def test_requests_for_notices_are_bounded_too():
    listen = [PING | {"id": one, "method": "subscriptions/listen"} for one in range(30)]
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in listen)
    received, sent = await through(lines)
    assert (len(received), len(sent)) == (MOST_LISTENING, 30 - MOST_LISTENING)


async def test_what_is_under_way_is_bounded_in_bytes():
    text = "x" * (LONGEST_LINE - 200)
    large = [PING | {"id": one, "params": {"text": text}} for one in range(6)]
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in large)
    received, sent = await through(lines, limit=LONGEST_LINE)
    assert (len(received), len(sent)) == (4, 2)
