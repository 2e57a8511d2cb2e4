"""Many windows, one daemon: what they share, and what becomes of them when it dies."""

import asyncio
import json
import os
import signal

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ToolListChangedNotification
from windows import kill, parameters

from doubles.plays import Play
from embedded.waiting import is_gone, wait_until
from spadework.daemon import control

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("mode", ["legacy", "auto"])
ASK = "ask_local_llama"


async def until(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def call_again(client):
    """Call, and once more if the call was lost with the daemon."""
    try:
        return await client.call_tool(ASK, {"prompt": "Hi"})
    except MCPError as error:
        if "call again" not in error.message:
            raise
        return await client.call_tool(ASK, {"prompt": "Hi"})


def test_windows_share_one_daemon_that_knows_each_of_them(window, project):
    first, second = window(), window()
    assert first.call() == second.call() == "Three lines."
    told = control.describe()
    sessions = [one for one in told["connections"] if one["role"] == "mcp"]
    assert {one["pid"] for one in sessions} == {first.process.pid, second.process.pid}
    assert {one["project"] for one in sessions} == {str(project)}
    assert len({one["session"] for one in sessions}) == 2
    assert first.leave() == (0, "")
    wait_until(lambda: len(control.describe()["connections"]) == 2)  # the other, and we


def test_a_window_and_the_command_line_are_told_the_same_of_what_runs(
    window, openai_double, spadework
):
    """One source: `spadework status` and Claude's own list of models."""
    openai_double.plays(hangs_after=0)
    first, second = window(), window()
    first.send_call()
    first.send_call()
    wait_until(lambda: len(openai_double.chats) == 2)
    listed = second.ask("tools/call", name="list_available_local_models", arguments={})
    line = listed["result"]["content"][0]["text"].splitlines()[0]
    assert line.startswith("koala/llama3-local; ")
    assert "; 2 running, 0 waiting; " in line
    told = json.loads(spadework("status", "--json").stdout)
    [session] = {one["session"] for one in told["running"]}
    assert [one["model"] for one in told["running"]] == ["koala/llama3-local"] * 2
    [backend] = [one for one in told["backends"] if one["name"] == "koala"]
    assert (backend["running"], backend["waiting"]) == (2, 0)
    pids = {one["session"]: one["pid"] for one in told["daemon"]["connections"]}
    assert pids[session] == first.process.pid


def test_each_window_reads_the_files_of_its_own_project(
    config_file, window, project, openai_double, tmp_path
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes.md").write_text("another line\n")
    for one in (window(), window(CLAUDE_PROJECT_DIR=str(elsewhere))):
        one.ask("tools/call", name=ASK, arguments={"prompt": "x", "files": ["notes.md"]})
    asked = [chat.json["messages"][-1]["content"] for chat in openai_double.chats]
    assert "first line" in asked[0]
    assert "another line" in asked[1]


@BOTH
async def test_a_daemon_that_is_killed_costs_one_call(
    config_file, project, openai_double, daemon_pid, mode
):
    async with Client(parameters(project), mode=mode) as client:
        await client.list_tools()
        pid = await asyncio.to_thread(daemon_pid)
        openai_double.plays(Play(hangs_after=1), Play(reply="Three lines.", prompt_tokens=120))
        call = asyncio.create_task(client.call_tool(ASK, {"prompt": "Hi"}))
        await until(lambda: openai_double.chats)
        await asyncio.to_thread(kill, pid)
        with pytest.raises(MCPError, match="daemon ended in the middle of this call"):
            await asyncio.wait_for(call, 10)
        result = await client.call_tool(ASK, {"prompt": "Hi"})
        assert result.content[0].text == "Three lines."
        assert await asyncio.to_thread(daemon_pid) != pid


async def test_after_a_new_daemon_an_older_client_is_told_of_changes(
    config_file, project, daemon_pid
):
    changes = []

    async def hear(message):
        if isinstance(message, ToolListChangedNotification):
            changes.append(1)

    async with Client(parameters(project), mode="legacy", message_handler=hear) as client:
        await client.list_tools()
        await asyncio.to_thread(lambda: kill(daemon_pid()))
        # The new daemon may have other tools than those that were listed.
        await call_again(client)
        await until(lambda: len(changes) == 1)
        await client.list_tools(cache_mode="bypass")
        config_file.write_text(config_file.read_text() + '\n[tools.sort_ticket]\nuse_for = "x"\n')
        await until(lambda: len(changes) == 2)
        tools = (await client.list_tools(cache_mode="bypass")).tools
        assert "sort_ticket" in [tool.name for tool in tools]


async def test_after_a_new_daemon_a_newer_client_is_told_of_changes(
    config_file, project, daemon_pid
):
    async with (
        Client(parameters(project), mode="auto") as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        await client.list_tools()
        await asyncio.to_thread(lambda: kill(daemon_pid()))
        await call_again(client)
        async with asyncio.timeout(20):
            await anext(changes)
            await client.list_tools(cache_mode="bypass")
            added = '\n[tools.sort_ticket]\nuse_for = "x"\n'
            config_file.write_text(config_file.read_text() + added)
            await anext(changes)
        tools = (await client.list_tools(cache_mode="bypass")).tools
        assert "sort_ticket" in [tool.name for tool in tools]


def test_a_daemon_that_is_stopped_cancels_what_runs_and_records_it(
    window, openai_double, rows, spadework
):
    one = window()
    openai_double.plays(Play(hangs_after=1), Play(reply="Three lines.", prompt_tokens=120))
    identity = one.send_call()
    wait_until(lambda: openai_double.chats)
    stopped = spadework("daemon", "stop")
    assert stopped.returncode == 0, stopped.stderr
    assert "daemon ended" in one.answer(identity)["error"]["message"]
    assert openai_double.chats[0].wait_until_left()
    assert [row.outcome for row in rows(1)] == ["cancelled"]
    assert one.call() == "Three lines."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_window_that_is_killed_stops_its_model_alone(window, openai_double, rows, number):
    openai_double.plays(Play(hangs_after=1), Play(reply="Three lines.", prompt_tokens=120))
    one, other = window(), window()
    one.send_call()
    wait_until(lambda: openai_double.chats)
    one.process.send_signal(number)
    assert openai_double.chats[0].wait_until_left()
    assert [row.outcome for row in rows(1)] == ["cancelled"]
    assert other.call() == "Three lines."


def test_a_terminated_daemon_ends_its_calls_and_itself(window, openai_double, rows, daemon_pid):
    one = window()
    openai_double.plays(Play(hangs_after=1))
    identity = one.send_call()
    wait_until(lambda: openai_double.chats)
    pid = daemon_pid()
    os.kill(pid, signal.SIGTERM)
    assert "error" in one.answer(identity)
    wait_until(lambda: is_gone(pid))
    assert [row.outcome for row in rows(1)] == ["cancelled"]


def test_a_config_that_broke_meanwhile_is_told_at_the_next_call(window, config_file, daemon_pid):
    one = window()
    config_file.write_text("[backends.koala]\nkind = 'openia'\n")
    kill(daemon_pid())
    error = one.answer(one.send_call())["error"]["message"]
    if "call again" in error:
        error = one.answer(one.send_call())["error"]["message"]
    assert "config.toml:1: backends.koala.url: is missing" in error
    assert "\n" not in error
