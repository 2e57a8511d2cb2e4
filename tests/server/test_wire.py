"""Lines to messages and back, whatever bytes come."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.server.wire import NoMessage, Traffic, messages, parse

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
    ping = json.dumps(PING).encode()
    received, sent = await through(ping + b"\n\nnonsense\n" + ping + b"\n" + ping)
    assert received == [1, 1, 1]
    assert [answer["error"]["code"] for answer in sent] == [-32700]


async def test_a_line_that_is_too_long_is_answered_and_the_next_one_is_read():
    ping = json.dumps(PING).encode()
    received, sent = await through(b'"' + b"x" * 5000 + b'"\n' + ping + b"\n", limit=1000)
    assert received == [1]
    assert "longer than" in sent[0]["error"]["message"]
