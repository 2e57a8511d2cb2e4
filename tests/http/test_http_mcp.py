"""The tools over HTTP on a real socket, through the SDK's own client, in both revisions."""

import asyncio
import json

import pytest
from http_faces import (
    NEWER,
    OLDER,
    call,
    calling,
    client,
    rows,
    serving,
    session_headers,
    until,
)
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, ToolListChangedNotification

from doubles.plays import Play

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("revision", [OLDER, NEWER])
QUESTION = {"prompt": "Hi"}


def texts(result):
    return [block.text for block in result.content]


@BOTH
async def test_a_client_lists_the_tools_and_gets_an_answer(config_file, revision):
    async with serving() as server, client(server.url, revision) as mcp:
        names = [tool.name for tool in (await mcp.list_tools()).tools]
        result = await mcp.call_tool("ask_local_llama", QUESTION)
        [listing] = texts(await mcp.call_tool("list_available_local_models", {}))
    assert names == [
        "ask_local_llama",
        "ask_coding_model",
        "ask_each",
        "list_available_local_models",
    ]
    answer, footer = texts(result)
    assert answer == "Three lines."
    assert footer.startswith("[koala/llama3-local; 7 checks passed")
    assert listing.startswith("koala/llama3-local; ")


@BOTH
async def test_a_changing_list_of_tools_is_announced(config_file, revision):
    async with serving() as server, client(server.url, revision) as mcp:
        assert mcp.server_capabilities.tools.list_changed


@BOTH
async def test_an_unknown_tool_is_a_protocol_error_and_wrong_arguments_are_an_answer(
    config_file, revision
):
    async with serving() as server, client(server.url, revision) as mcp:
        with pytest.raises(MCPError) as caught:
            await mcp.call_tool("ask_nobody", {})
        result = await mcp.call_tool("ask_local_llama", {})
    assert caught.value.code == INVALID_PARAMS
    assert result.is_error
    assert "missing argument 'prompt'" in texts(result)[0]


@BOTH
async def test_an_event_stream_begins_before_the_model_says_a_word(
    config_file, openai_double, revision
):
    """A client gives up after 60 s without a first byte."""
    openai_double.plays(Play(delay=3600))
    async with serving() as server:
        session = await session_headers(server.url, revision)
        headers, body = call(revision, "ask_local_llama", QUESTION)
        async with calling(server.url, headers | session, body) as caller:
            await caller.hears(b": at work")
            head = caller.heard.partition(b"\r\n\r\n")[0].lower()
            assert head.startswith(b"http/1.1 200 ")
            assert b"content-type: text/event-stream" in head
            await until(lambda: openai_double.chats)
            assert not openai_double.chats[0].done.is_set()


async def test_a_call_that_is_long_silent_is_kept_alive(config_file, openai_double):
    """By a comment every 15 seconds, in both revisions; clients give up on a silent stream."""

    async def comes_back(revision):
        session = await session_headers(server.url, revision)
        headers, body = call(revision, "ask_local_llama", QUESTION)
        async with calling(server.url, headers | session, body) as caller:
            await caller.hears(b": at work")
            begun = len(caller.heard)
            await caller.hears(b"\n: ", begun)

    openai_double.plays(Play(delay=3600))
    async with serving() as server:
        await asyncio.gather(comes_back(OLDER), comes_back(NEWER))


@BOTH
async def test_even_a_quick_answer_comes_as_an_event(config_file, revision):
    async with serving() as server:
        session = await session_headers(server.url, revision)
        headers, body = call(revision, "ask_local_llama", QUESTION)
        async with calling(server.url, headers | session | {"connection": "close"}, body) as caller:
            heard = await caller.until_end()
    assert b"content-type: text/event-stream" in heard.lower()
    [data] = [line for line in heard.splitlines() if line.startswith(b"data: ")]
    answer = json.loads(data.removeprefix(b"data: "))
    assert answer["id"] == 7
    assert answer["result"]["content"][0]["text"] == "Three lines."


@BOTH
async def test_progress_comes_on_the_calls_own_stream(config_file, openai_double, revision):
    openai_double.plays(Play(reply="a b c d e f g h", pause=0.15, prompt_tokens=120))
    heard = []

    async def hear(progress, total, message):
        heard.append((progress, message))

    async with serving() as server, client(server.url, revision) as mcp:
        await mcp.call_tool("ask_local_llama", QUESTION, progress_callback=hear)
    assert len(heard) >= 2
    assert [number for number, _ in heard] == sorted({number for number, _ in heard})
    assert "koala/llama3-local is answering" in heard[-1][1]


@BOTH
async def test_a_client_that_hangs_up_in_mid_answer_stops_the_model(
    config_file, openai_double, revision
):
    openai_double.plays(Play(hangs_after=2))
    async with serving() as server:
        session = await session_headers(server.url, revision)
        headers, body = call(revision, "ask_local_llama", QUESTION)
        async with calling(server.url, headers | session, body) as caller:
            await caller.hears(b": at work")
            await until(lambda: openai_double.chats)
            caller.hang_up()
            assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
            await until(lambda: [row.outcome for row in rows(config_file)] == ["cancelled"])


@BOTH
async def test_a_cancelled_call_stops_the_model(config_file, openai_double, revision):
    openai_double.plays(Play(hangs_after=2))
    async with serving() as server, client(server.url, revision) as mcp:
        asking = asyncio.create_task(mcp.call_tool("ask_local_llama", QUESTION))
        await until(lambda: openai_double.chats)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
        await until(lambda: [row.outcome for row in rows(config_file)] == ["cancelled"])


async def test_a_notice_of_cancellation_alone_stops_the_model(config_file, openai_double):
    """The stream stays open: the older revision cancels by a message of its own."""
    openai_double.plays(Play(hangs_after=2))
    async with serving() as server:
        session = await session_headers(server.url, OLDER)
        headers, body = call(OLDER, "ask_local_llama", QUESTION)
        async with calling(server.url, headers | session, body) as caller:
            await until(lambda: openai_double.chats)
            notice = {"method": "notifications/cancelled", "params": {"requestId": 7}}
            cancel = json.dumps({"jsonrpc": "2.0", **notice}).encode()
            async with calling(server.url, headers | session, cancel) as second:
                await second.hears(b" 202 ")
            assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
            await until(lambda: [row.outcome for row in rows(config_file)] == ["cancelled"])
            await caller.hears(b"Request cancelled")


async def test_a_session_that_is_closed_cancels_its_calls(config_file, openai_double):
    openai_double.plays(Play(hangs_after=2))
    async with serving() as server, client(server.url, OLDER) as mcp:
        asking = asyncio.create_task(mcp.call_tool("ask_local_llama", QUESTION))
        await until(lambda: openai_double.chats)
    await asyncio.gather(asking, return_exceptions=True)
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
    await until(lambda: [row.outcome for row in rows(config_file)] == ["cancelled"])


@BOTH
async def test_a_server_that_stops_tells_those_who_wait(config_file, openai_double, revision):
    openai_double.plays(Play(hangs_after=2))
    async with serving() as server:
        session = await session_headers(server.url, revision)
        headers, body = call(revision, "ask_local_llama", QUESTION)
        async with calling(server.url, headers | session, body) as caller:
            await until(lambda: openai_double.chats)
            await server.face.stop()
            heard = await caller.until_end()
    assert b"the server was stopped in the middle of this call" in heard
    assert [row.outcome for row in rows(config_file)] == ["cancelled"]
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", server.port)


@BOTH
async def test_a_changed_config_reaches_every_client_that_listens(config_file, revision):
    heard = [asyncio.Event(), asyncio.Event()]

    def hearing(event):
        async def hear(message):
            if isinstance(message, ToolListChangedNotification):
                event.set()

        return hear

    async with (
        serving() as server,
        client(server.url, revision, message_handler=hearing(heard[0])) as first,
        client(server.url, revision, message_handler=hearing(heard[1])) as second,
    ):
        await first.list_tools()
        added = config_file.read_text() + '\n[tools.sort_ticket]\nuse_for = "sorting tickets"\n'
        if revision == OLDER:
            await until(lambda: standing(server) == 2)
            config_file.write_text(added)
            await asyncio.wait_for(asyncio.gather(*(event.wait() for event in heard)), 20)
        else:
            async with (
                first.listen(tools_list_changed=True) as mine,
                second.listen(tools_list_changed=True) as others,
            ):
                config_file.write_text(added)
                await asyncio.wait_for(anext(aiter(mine)), 20)
                await asyncio.wait_for(anext(aiter(others)), 20)
        names = [tool.name for tool in (await first.list_tools(cache_mode="bypass")).tools]
    assert "sort_ticket" in names


def standing(server):
    """How many clients of the older revision have opened their stream."""
    return sum(one.is_standing for one in server.face._exchanges)


async def test_each_window_is_a_session_of_its_own_in_the_older_revision(config_file):
    async with serving() as server:
        for _ in range(2):
            async with client(server.url, OLDER) as mcp:
                await mcp.call_tool("ask_local_llama", QUESTION)
                await mcp.call_tool("ask_local_llama", QUESTION)
    names = [row.session for row in rows(config_file)]
    assert len(names) == 4
    assert len(set(names)) == 2
    assert all(name.startswith("127.0.0.1-") for name in names)


@BOTH
async def test_calls_run_side_by_side(config_file, openai_double, revision):
    """Each waits until all have come, so that one after another would never end."""
    openai_double.plays(Play(hangs_after=2))
    async with serving() as server, client(server.url, revision) as mcp:
        calls = [
            asyncio.create_task(mcp.call_tool("ask_local_llama", {"prompt": f"{number}"}))
            for number in range(3)
        ]
        await until(lambda: len(openai_double.chats) == 3)
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


@BOTH
async def test_a_client_is_not_asked_for_its_folders(config_file, revision):
    """They are on another disk."""
    asked = []

    async def roots(_context):
        asked.append(1)

    async with (
        serving() as server,
        client(server.url, revision, list_roots_callback=roots) as mcp,
    ):
        result = await mcp.call_tool("ask_local_llama", {**QUESTION, "files": ["/etc/hostname"]})
    assert result.is_error
    assert asked == []
