"""What one address or one token may take of the server, and how long a silent client stays."""

import asyncio
import json
import re
import socket
from contextlib import ExitStack, asynccontextmanager, contextmanager

import httpx2
import pytest
from http_faces import (
    ACCEPT,
    ENVELOPE,
    NEWER,
    OLDER,
    call,
    calling,
    client,
    serving,
    session_headers,
    until,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles.plays import Play
from spadework.mcp.http.access_tokens import TokenStore
from spadework.mcp.http.connections import ConnectionLimits, HttpProtocol

pytestmark = pytest.mark.slow

HOST = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n"


def configure(config_file, *lines):
    config_file.write_text("\n".join([config_file.read_text(), "[http]", *lines, ""]))


def bearer(name):
    return {"authorization": f"Bearer {TokenStore().new(name)[1]}"}


async def status(url, headers=None, prompt="Hi"):
    own, body = call(NEWER, "ask_local_llama", {"prompt": prompt})
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.post(url, content=body, headers=own | (headers or {}))
    return answer.status_code


@contextmanager
def sockets(port, count):
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)
        ]


async def ends(reader, seconds=30):
    """Wait for the end of a connection, and return what it said until then."""
    async with asyncio.timeout(seconds):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@asynccontextmanager
async def raw(port, data=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_silent_connections_lock_nobody_out_while_they_stay(config_file):
    own = bearer("laptop")
    configure(config_file, "header_timeout = 3600.0")
    async with serving(require_token=True) as server:
        with sockets(server.port, 600):
            assert await status(server.url, own) == 200


async def test_a_call_under_way_is_not_displaced_by_silent_connections(config_file, openai_double):
    openai_double.plays(Play(reply="a b c d e f g h", pause=0.3))
    configure(config_file, "max_connections_per_address = 4", "header_timeout = 3600.0")
    async with serving() as server:
        headers, body = call(NEWER, "ask_local_llama", {"prompt": "Hi"})
        async with calling(server.url, headers | {"connection": "close"}, body) as caller:
            await until(lambda: openai_double.chats)
            with sockets(server.port, 50):
                assert b"a b c d" in await caller.until_end()


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /m",
        HOST,
        HOST + b"x: " + b"a" * 1000,
        b"\r\n" * 10,
    ],
    ids=["silent", "half a line", "half the headers", "a header without end", "empty lines"],
)
async def test_a_head_that_does_not_come_in_time_ends_the_connection(config_file, begun):
    configure(config_file, "header_timeout = 0.5")
    bearer("laptop")
    async with serving(require_token=True) as server, raw(server.port, begun) as (reader, _):
        await ends(reader)


async def test_bytes_that_drip_do_not_put_the_end_off(config_file):
    configure(config_file, "header_timeout = 1.0")
    async with serving() as server, raw(server.port, HOST) as (reader, writer):
        end = asyncio.create_task(ends(reader))
        async with asyncio.timeout(30):
            while not end.done():
                writer.write(b"a")
                await asyncio.sleep(0.05)
        assert server.face.calls == 0


@pytest.mark.parametrize(
    "framing", [b"content-length: 1000\r\n", b"transfer-encoding: chunked\r\n"]
)
async def test_a_body_that_does_not_come_in_time_ends_the_call(config_file, framing):
    configure(config_file, "body_timeout = 0.5")
    head = HOST + framing + b"".join(f"{k}: {v}\r\n".encode() for k, v in ACCEPT.items())
    async with serving() as server:
        async with raw(server.port, head + b"\r\n") as (reader, writer):
            await until(lambda: server.face.calls == 1)
            writer.write(b"5\r\n")
            await ends(reader)
        await until(lambda: server.face.calls == 0)


async def test_a_refused_request_that_goes_on_sending_is_told_and_cut_off(config_file):
    """Its body is thrown away unread: parsing it would be work for a stranger."""
    bearer("laptop")
    async with serving(require_token=True) as server:
        head = HOST + b"content-length: 100000000\r\n\r\n"
        async with raw(server.port, head) as (reader, writer):
            heard = await asyncio.wait_for(reader.read(1000), 30)
            assert heard.startswith(b"HTTP/1.1 401 ")
            with pytest.raises(ConnectionError):
                await send_on(writer)


async def test_a_body_is_parsed_in_small_pieces(config_file, monkeypatch):
    """256 KiB of one-byte chunks, parsed in one go, held the event loop for six seconds."""
    sizes = []
    parse = HttpProtocol.data_received

    def watched(self, data):
        sizes.append(len(data))
        parse(self, data)

    monkeypatch.setattr(HttpProtocol, "data_received", watched)
    chunks = b"1\r\n \r\n" * 50_000 + b"0\r\n\r\n"
    headers = ACCEPT | {"transfer-encoding": "chunked"}
    async with serving() as server, calling(server.url, headers, chunks) as caller:
        await caller.hears(b" 400 ")  # it is no JSON
    assert max(sizes) <= 4096


async def send_on(writer):
    async with asyncio.timeout(30):
        while True:
            writer.write(b"a" * 10_000)
            await writer.drain()
            await asyncio.sleep(0.02)


async def test_a_connection_that_is_kept_but_not_used_ends(config_file):
    async with serving() as server:
        head = HOST.replace(b"POST", b"GET") + b"\r\n"
        async with raw(server.port, head) as (reader, _):
            assert b" 406 " in (await ends(reader)).partition(b"\r\n")[0]


async def test_a_client_that_takes_nothing_holds_nothing_for_ever(config_file):
    """It asks again and again on one connection, and never reads."""
    bearer("laptop")
    async with serving(require_token=True) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as greedy:
            greedy.setblocking(False)
            request = HOST + b"content-length: 0\r\n\r\n"
            async with asyncio.timeout(30):
                for _ in range(2000):
                    try:
                        greedy.send(request * 50)
                    except (BlockingIOError, ConnectionError):
                        break
                    await asyncio.sleep(0)
            assert await status(server.url, bearer("desk")) == 200


class Sleeper:
    """A connection as the limits see it."""

    def __init__(self, *, is_idle=True, is_known=False):
        self.is_idle = is_idle
        self.is_known = is_known
        self.displaced = False

    def displace(self):
        self.displaced = True


def limits(**keys):
    from spadework.config.models import HttpConfig  # noqa: PLC0415 - heavy

    config = HttpConfig(**keys)
    return ConnectionLimits(lambda: config, lambda address: address == "10.0.0.1")


def test_one_address_leaves_room_for_the_others():
    table = limits(max_connections=10, max_connections_per_address=100)
    busy = [Sleeper(is_idle=False) for _ in range(6)]
    assert [table.add(one, "192.0.2.1") for one in busy] == [True] * 5 + [False]
    assert table.add(Sleeper(), "192.0.2.2")


def test_an_ipv6_network_counts_as_one_machine_and_a_mapped_ipv4_address_as_itself():
    table = limits(max_connections=100, max_connections_per_address=2)
    taken = [f"2001:db8::{number}" for number in range(3)]
    assert [table.add(Sleeper(is_idle=False), one) for one in taken] == [True, True, False]
    assert table.add(Sleeper(is_idle=False), "2001:db8:0:1::1")
    mapped = ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"]
    assert [table.add(Sleeper(is_idle=False), one) for one in mapped] == [True, True, False]


def test_strangers_make_room_first_and_the_oldest_of_them():
    table = limits(max_connections=100, max_connections_per_address=3)
    known, old, young = Sleeper(is_known=True), Sleeper(), Sleeper()
    for one in (known, old, young):
        table.add(one, "192.0.2.1")
    assert table.add(Sleeper(), "192.0.2.1")
    assert [one.displaced for one in (known, old, young)] == [False, True, False]


def test_a_trusted_proxy_has_the_connections_of_many_clients():
    table = limits(max_connections=100, max_connections_per_address=2)
    assert all(table.add(Sleeper(is_idle=False), "10.0.0.1") for _ in range(50))


def test_all_connections_together_leave_file_descriptors_to_the_process():
    import resource  # noqa: PLC0415 - Windows lacks it

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        assert limits(max_connections=100_000).most == 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (HOST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (HOST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", b" 400 "),
        (HOST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b" "),
        (HOST + b"content-length: -1\r\n\r\n", b" 400 "),
        (HOST + b"content-length : 5\r\n\r\nhello", b" 400 "),
        (HOST.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (HOST + b"host: 127.0.0.1\r\n\r\n", b" 4"),
        (b"POST http://evil.example/mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", b" 404 "),
        (b"POST /mcp HTTP/1.0\r\n\r\n", b" 421 "),
        (b"POST /mcp HTTP/1.1\r\n\r\n", b" 4"),
        (HOST + b"".join(b"x-%d: a\r\n" % n for n in range(200)) + b"\r\n", b" 431 "),
        (HOST + b"x: " + b"a" * 60_000 + b"\r\n\r\n", b" 4"),
        (HOST.replace(b"/mcp", b"/mcp?access_token=sw_x") + b"\r\n", b" 400 "),
        (HOST.replace(b"/mcp", b"/mcp?a=sw_x") + b"\r\n", b" 400 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b" 400 "),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b" 4"),
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused(config_file, request_, told):
    async with serving() as server, raw(server.port, request_) as (reader, writer):
        writer.write(b"\r\n")
        first = await asyncio.wait_for(reader.readline(), 30)
        assert told in first, first
        assert b" 500 " not in first
        assert b" 200 " not in first


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), is_posted=st.booleans())
def test_no_bytes_make_the_server_fail(config_file, data, is_posted, caplog):
    async def send():
        bearing = HOST + b"content-length: %d\r\n" % len(data) if is_posted else b""
        heads = b"".join(f"{k}: {v}\r\n".encode() for k, v in ACCEPT.items()) if is_posted else b""
        async with (
            serving() as server,
            raw(server.port, bearing + heads + b"\r\n" + data) as (
                reader,
                writer,
            ),
        ):
            writer.write_eof()
            heard = await ends(reader)
        assert b" 500 " not in heard.partition(b"\r\n")[0]

    asyncio.run(send())
    assert not [one for one in caplog.records if one.name == "uvicorn.error"]


async def test_one_token_leaves_calls_for_the_others(config_file, openai_double):
    configure(config_file, "max_calls_per_token = 2")
    own, other = bearer("laptop"), bearer("desk")
    openai_double.plays(Play(hangs_after=0))
    async with serving(require_token=True) as server:
        headers, body = call(NEWER, "ask_local_llama", {"prompt": "Hi"})
        async with (
            calling(server.url, headers | own, body),
            calling(server.url, headers | own, body),
        ):
            await until(lambda: len(openai_double.chats) == 2)
            openai_double.plays(Play(reply="Three lines."))
            assert await status(server.url, own) == 429
            assert await status(server.url, other) == 200


async def test_one_token_leaves_sessions_for_the_others(config_file):
    configure(config_file, "max_sessions_per_token = 3")
    own, other = bearer("laptop"), bearer("desk")
    params = {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": ENVELOPE_INFO}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with (
        serving(require_token=True) as server,
        httpx2.AsyncClient(trust_env=False, timeout=60) as http,
    ):

        async def opened(token):
            return await http.post(server.url, json=message, headers=ACCEPT | token)

        answers = [await opened(own) for _ in range(5)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].headers["retry-after"] == "5"
        assert (await opened(other)).status_code == 200
        session = {"mcp-session-id": answers[0].headers["mcp-session-id"]}
        assert (await http.delete(server.url, headers=ACCEPT | own | session)).status_code == 200
        assert (await opened(own)).status_code == 200


ENVELOPE_INFO = {"name": "test", "version": "1"}


async def test_a_session_that_is_not_used_ends(config_file):
    configure(config_file, "session_timeout = 1.0")
    async with serving() as server:
        session = await session_headers(server.url, OLDER)
        headers, body = call(OLDER, "ask_local_llama", {"prompt": "Hi"})
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http, asyncio.timeout(30):
            while True:
                await asyncio.sleep(1.5)
                answer = await http.post(server.url, content=body, headers=headers | session)
                if answer.status_code == 404:
                    return


async def test_one_token_leaves_streams_for_the_others(config_file):
    configure(config_file, "max_streams_per_token = 1")
    own, other = (TokenStore().new(name)[1] for name in ("laptop", "desk"))
    listen = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "subscriptions/listen",
        "params": {"_meta": ENVELOPE, "notifications": {"toolsListChanged": True}},
    }
    headers = ACCEPT | {"mcp-protocol-version": NEWER, "mcp-method": "subscriptions/listen"}
    body = json.dumps(listen).encode()
    async with serving(require_token=True) as server:
        mine = headers | {"authorization": f"Bearer {own}"}
        async with calling(server.url, mine, body) as first:
            await first.hears(b"acknowledged")
            async with calling(server.url, mine, body) as second:
                await second.hears(b"this caller has 1 streams at once")
            async with (
                client(server.url, NEWER, other) as mcp,
                mcp.listen(tools_list_changed=True),
            ):
                pass


async def test_a_stream_that_is_resumed_begins_anew(config_file):
    """No events are kept here; the SDK would answer such a request with nothing at all."""
    async with serving() as server:
        session = await session_headers(server.url, OLDER)
        lines = [f"{name}: {value}" for name, value in (ACCEPT | session).items()]
        head = "\r\n".join(["GET /mcp HTTP/1.1", "host: 127.0.0.1", *lines, "last-event-id: 1"])
        async with raw(server.port, f"{head}\r\n\r\n".encode()) as (reader, _):
            first = await asyncio.wait_for(reader.readline(), 30)
    assert b" 200 " in first


async def test_a_request_that_a_proxy_forwards_needs_a_token_on_loopback_too(config_file):
    own = bearer("laptop")
    async with serving() as server:
        assert await status(server.url) == 200
        for header in ("x-forwarded-for", "forwarded", "x-real-ip"):
            assert await status(server.url, {header: "192.0.2.7"}) == 401
            assert await status(server.url, {header: "192.0.2.7"} | own) == 200


async def test_a_proxy_is_believed_only_if_the_config_names_it(config_file):
    configure(config_file, 'trusted_proxies = ["127.0.0.1"]')
    own = bearer("laptop")
    async with serving() as server:
        assert server.face.needs_token
        assert await status(server.url, {"x-forwarded-for": "192.0.2.7"}) == 401
        assert await status(server.url, {"x-forwarded-for": "192.0.2.7"} | own) == 200


async def test_requests_that_follow_on_one_connection_are_each_answered(config_file):
    headers, body = call(NEWER, "list_available_local_models", {})
    lines = [f"{k}: {v}" for k, v in headers.items()] + [f"content-length: {len(body)}"]
    head = "\r\n".join(["POST /mcp HTTP/1.1", "host: 127.0.0.1", *lines]).encode()
    async with serving() as server, raw(server.port, (head + b"\r\n\r\n" + body) * 3) as pair:
        heard = b""
        async with asyncio.timeout(30):
            while len(re.findall(rb"koala/llama3-local; ", heard)) < 3:
                data = await pair[0].read(4096)
                assert data, heard
                heard += data
