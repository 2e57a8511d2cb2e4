"""The real server over real pipes, through the SDK's own client, in both protocol revisions."""

import asyncio
import subprocess

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ErrorData,
    ListRootsResult,
    Root,
    ToolListChangedNotification,
)
from server_rows import BOTH_WAYS, ledger_rows

from doubles.plays import Play
from spadework.mcp.tool_results import FIGURES_KEY

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("mode", ["legacy", "auto"])


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def texts(result):
    return [block.text for block in result.content]


async def until(condition, seconds=10):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@BOTH
@BOTH_WAYS
async def test_a_client_lists_the_tools_and_delegates_a_file(stdio_server, openai_double, mode):
    async with Client(stdio_server, mode=mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == [
            "ask_local_llama",
            "ask_coding_model",
            "ask_each",
            "list_available_local_models",
        ]
        result = await client.call_tool(
            "ask_local_llama", {"prompt": "How many lines?", "files": ["notes.md"]}
        )
    answer, footer = texts(result)
    assert answer == "Three lines."
    assert footer.startswith("[koala/llama3-local; 7 checks passed")
    assert result.structured_content is None
    assert not result.is_error
    assert result.meta[FIGURES_KEY]["bytes_read"] == 34
    assert "2| second line" in openai_double.chats[0].json["messages"][-1]["content"]


@BOTH
async def test_every_tool_is_read_only_and_says_when_to_use_it(stdio_server, mode):
    async with Client(stdio_server, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        instructions = client.instructions
    writing = {name for name, tool in tools.items() if not tool.annotations.read_only_hint}
    assert writing == {"ask_each"}
    assert all(tool.output_schema is None for tool in tools.values())
    assert "bulk summarization" in tools["ask_local_llama"].description
    assert "koala/llama3-local" in tools["ask_local_llama"].description
    assert "boilerplate" in tools["ask_coding_model"].description
    assert set(tools["ask_local_llama"].input_schema["properties"]) == {
        "prompt",
        "files",
        "schema",
        "labels",
        "max_tokens",
    }
    assert set(tools["ask_coding_model"].input_schema["properties"]) == {
        "question",
        "code",
        "files",
        "schema",
        "labels",
        "max_tokens",
    }
    assert "Delegate bulk reading" in instructions
    assert len(instructions) < 2048


@BOTH
async def test_a_description_tells_the_speed_once_it_was_measured(
    stdio_server, openai_double, mode
):
    openai_double.plays(Play(reply="a b c d", pause=0.1, prompt_tokens=120))

    async def description():
        listed = await client.list_tools(cache_mode="bypass")
        return next(tool.description for tool in listed.tools if tool.name == "ask_local_llama")

    async with Client(stdio_server, mode=mode) as client:
        assert "tokens/s" not in await description()
        await client.call_tool("ask_local_llama", {"prompt": "Hi"})
        assert "tokens/s" in await description()


@BOTH
async def test_models_are_listed_with_window_and_tools(stdio_server, mode):
    async with Client(stdio_server, mode=mode) as client:
        [listing] = texts(await client.call_tool("list_available_local_models", {}))
    lines = listing.splitlines()
    where = "local (local host 127.0.0.1)"
    assert lines[0].startswith(
        f"koala/llama3-local; {where}; window unknown; used by ask_local_llama"
    )
    assert lines[1].startswith("koala/codellama-local; ")
    assert "embedded" not in listing  # not installed here, and not needed where servers are


@BOTH
async def test_a_hand_back_is_an_error_result_that_says_why(stdio_server, openai_double, mode):
    openai_double.plays(reply="")
    async with Client(stdio_server, mode=mode) as client:
        result = await client.call_tool("ask_local_llama", {"prompt": "Hi"})
    assert result.is_error
    [text] = texts(result)
    assert text.startswith("Not done:")
    assert "empty answer" in text


@BOTH
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "missing argument 'prompt'"),
        ({"prompt": "x", "files": "notes.md"}, "argument 'files': expected an array, got a string"),
        ({"prompt": "x", "files": ["../outside"]}, "outside-roots"),
        ({"prompt": "x", "files": ["nothing.md"]}, "not-found"),
        ({"prompt": "x", "files": ["git:push"]}, "push is not read of git"),
    ],
)
async def test_a_wrong_call_is_an_error_that_claude_can_read(stdio_server, mode, arguments, said):
    async with Client(stdio_server, mode=mode) as client:
        result = await client.call_tool("ask_local_llama", arguments)
    assert result.is_error
    assert said in texts(result)[0]
    assert "hint:" in texts(result)[0]


@BOTH
async def test_an_unknown_tool_is_a_protocol_error(stdio_server, mode):
    async with Client(stdio_server, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("ask_nobody", {})
    assert caught.value.code == INVALID_PARAMS


@BOTH
async def test_progress_comes_while_the_model_answers_and_not_after(
    stdio_server, openai_double, mode
):
    openai_double.plays(Play(reply="a b c d e f g h i j", pause=0.15, prompt_tokens=120))
    heard = []

    async def hear(progress, total, message):
        heard.append((progress, message))

    async with Client(stdio_server, mode=mode) as client:
        await client.call_tool("ask_local_llama", {"prompt": "Hi"}, progress_callback=hear)
        count = len(heard)
        await client.list_tools()
    assert 2 <= count <= 6
    assert len(heard) == count
    assert [number for number, _ in heard] == sorted({number for number, _ in heard})
    assert "koala/llama3-local is answering" in heard[-1][1]


@BOTH
@BOTH_WAYS
async def test_a_cancelled_call_stops_the_model_and_is_recorded(
    stdio_server, openai_double, config_file, mode
):
    openai_double.plays(Play(hangs_after=2))
    async with Client(stdio_server, mode=mode) as client:
        call = asyncio.create_task(client.call_tool("ask_local_llama", {"prompt": "Hi"}))
        await until(lambda: openai_double.chats)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
        await until(lambda: [row.outcome for row in ledger_rows(config_file)] == ["cancelled"])


@BOTH
async def test_calls_run_side_by_side(stdio_server, openai_double, mode):
    openai_double.plays(Play(hangs_after=1))  # one after another, the second would never come
    async with Client(stdio_server, mode=mode) as client:
        calls = [
            asyncio.create_task(client.call_tool("ask_local_llama", {"prompt": f"{n}"}))
            for n in range(8)
        ]
        try:
            await until(lambda: len(openai_double.chats) == len(calls), 30)
            assert not any(chat.done.is_set() for chat in openai_double.chats)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


@BOTH
@BOTH_WAYS
async def test_a_changed_config_reaches_the_client(stdio_server, config_file, mode):
    changed = asyncio.Event()

    async def hear(message):
        if isinstance(message, ToolListChangedNotification):
            changed.set()

    async with Client(stdio_server, mode=mode, message_handler=hear) as client:
        await client.list_tools()
        added = '\n[tools.sort_ticket]\nuse_for = "sorting tickets"\n'
        if mode == "legacy":
            config_file.write_text(config_file.read_text() + added)
            await asyncio.wait_for(changed.wait(), 15)
        else:
            async with client.listen(tools_list_changed=True) as events:
                config_file.write_text(config_file.read_text() + added)
                await asyncio.wait_for(anext(aiter(events)), 15)
        names = [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]
    assert "sort_ticket" in names


@BOTH
async def test_a_broken_config_leaves_the_old_one_in_use_and_says_so(
    stdio_server, config_file, mode
):
    async with Client(stdio_server, mode=mode) as client:
        await client.list_tools()
        config_file.write_text("[tools.x]\nuse_fro = 1\n")

        async def listing():
            return texts(await client.call_tool("list_available_local_models", {}))[0]

        async with asyncio.timeout(15):
            while "config is not in use" not in (said := await listing()):
                await asyncio.sleep(0.1)
        assert "use_for" in said
        result = await client.call_tool("ask_local_llama", {"prompt": "Hi"})
    assert texts(result)[0] == "Three lines."


@BOTH
async def test_folders_that_the_client_offers_are_asked_for_when_needed(
    stdio_server, tmp_path, mode
):
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    (elsewhere / "other.md").write_text("text\n")
    asked = []

    async def roots(_context):
        asked.append(1)
        return ListRootsResult(roots=[Root(uri=elsewhere.as_uri())])

    async with Client(stdio_server, mode=mode, list_roots_callback=roots) as client:
        await client.call_tool("ask_local_llama", {"prompt": "x", "files": ["notes.md"]})
        assert asked == []
        result = await client.call_tool(
            "ask_local_llama", {"prompt": "x", "files": [str(elsewhere / "other.md")]}
        )
        assert texts(result)[0] == "Three lines."
        result = await client.call_tool(
            "ask_local_llama", {"prompt": "x", "files": ["/etc/hostname"]}
        )
        assert "outside-roots" in texts(result)[0]


async def test_a_client_that_does_not_tell_its_folders_gets_the_refusal(stdio_server):
    """It got its own error back."""

    async def roots(_context):
        return ErrorData(code=INTERNAL_ERROR, message="no folders today")

    async with Client(stdio_server, mode="legacy", list_roots_callback=roots) as client:
        result = await client.call_tool(
            "ask_local_llama", {"prompt": "x", "files": ["/etc/hostname"]}
        )
    assert "outside-roots" in texts(result)[0]


@BOTH
async def test_a_project_adds_its_tools(stdio_server, project, mode):
    (project / ".spadework.toml").write_text(
        '[tools.sort_ticket]\nuse_for = "sorting tickets"\nlabels = ["Three lines.", "other"]\n'
    )
    async with Client(stdio_server, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert "Defined by this project" in tools["sort_ticket"].description
        result = await client.call_tool("sort_ticket", {"prompt": "It crashes."})
    assert texts(result)[0] == "Three lines."


@BOTH
async def test_a_projects_broken_file_does_not_stop_the_users_tools(stdio_server, project, mode):
    (project / ".spadework.toml").write_text('[backends.x]\nkind = "openai"\nurl = "http://x"\n')
    async with Client(stdio_server, mode=mode) as client:
        assert len((await client.list_tools()).tools) == 4
        result = await client.call_tool("ask_local_llama", {"prompt": "Hi"})
        assert texts(result)[0] == "Three lines."
        [listing] = texts(await client.call_tool("list_available_local_models", {}))
    assert ".spadework.toml" in listing


@BOTH
async def test_a_diff_with_nothing_in_it_is_refused_and_says_what_to_ask_for(
    stdio_server, openai_double, project, mode
):
    git(project, "init", "-q")
    git(project, "add", "-A")
    async with Client(stdio_server, mode=mode) as client:
        listed = await client.list_tools()
        files = listed.tools[0].input_schema["properties"]["files"]
        assert "--staged" in files["description"]
        result = await client.call_tool(
            "ask_local_llama", {"prompt": "What changed?", "files": ["git:diff"]}
        )
    assert result.is_error
    assert "nothing unstaged; for staged changes use git:diff --staged" in texts(result)[0]
    assert openai_double.chats == []
