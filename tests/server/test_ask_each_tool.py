"""`ask_each` over real pipes: a table for Claude, short whatever its length; or a task."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from server_rows import BOTH_WAYS, ledger_rows

from doubles.plays import Play
from spadework.mcp.tasks import EXTENSION
from spadework.mcp.tool_results import FIGURES_KEY

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("mode", ["legacy", "auto"])
CLIENT = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {EXTENSION: {}}},
}


@pytest.fixture
def docs(project, openai_double):
    openai_double.plays(reply="Fine.", prompt_tokens=400)
    folder = project / "docs"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}.md").write_text(f"document {number}\n" * 50)
    return folder


def lines_of(result):
    [block] = result.content
    return block.text.splitlines()


@BOTH
@BOTH_WAYS
async def test_a_short_table_is_shown_whole_and_nothing_is_written(
    stdio_server, docs, project, config_file, mode
):
    async with Client(stdio_server, mode=mode) as client:
        result = await client.call_tool("ask_each", {"prompt": "Ok?", "files": ["docs/0*.md"]})
    lines = lines_of(result)
    assert lines[0].startswith("10 of 10 answered; koala/llama3-local; ")
    assert lines[-10:] == [f"docs/{number:02}.md\tFine." for number in range(10)]
    assert not (project / ".spadework").exists()
    assert len(ledger_rows(config_file)) == 10
    assert result.structured_content is None


async def test_a_long_table_goes_to_a_file_and_its_result_stays_short(stdio_server, docs, project):
    (docs / "bad.md").write_bytes(b"\0\1\2")
    async with Client(stdio_server) as client:
        result = await client.call_tool("ask_each", {"prompt": "Ok?", "files": ["docs/"]})
    [text] = [block.text for block in result.content]
    assert len(text) < 700, "what Claude pays for"
    assert "60 of 61 answered, 1 failed" in text
    assert "Counts: Fine. 60" in text
    assert "Failed:\ndocs/bad.md: " in text
    name = text.partition("The whole table: ")[2].splitlines()[0]
    rows = [json.loads(line) for line in (project / name).read_text().splitlines()]
    assert len(rows) == 61
    assert sum(row["answer"] == "Fine." for row in rows) == 60
    assert result.meta[FIGURES_KEY]["bytes_read"] > 30_000


async def test_labels_are_counted_and_answers_by_schema_stand_in_the_table(
    stdio_server, docs, openai_double
):
    openai_double.plays(reply='"bug"', prompt_tokens=400)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with Client(stdio_server) as client:
        call = {"prompt": "Which?", "files": ["docs/0*.md"], "labels": ["bug", "billing"]}
        labelled = lines_of(await client.call_tool("ask_each", call))
        openai_double.plays(reply='{"n": 3}', prompt_tokens=400)
        by_schema = {"prompt": "Count.", "files": ["docs/0*.md"], "schema": schema}
        counted = lines_of(await client.call_tool("ask_each", by_schema))
        asked = [chat.json["response_format"]["type"] for chat in openai_double.chats]
    assert "Counts: bug 10" in labelled
    assert counted[-1] == 'docs/09.md\t{"n":3}'
    assert asked == ["json_schema"] * 20


async def test_a_label_that_is_not_sure_enough_is_marked_and_not_guessed(
    stdio_server, docs, openai_double, config_file
):
    config_file.write_text(config_file.read_text() + "least_confidence = 0.5\n")
    chances = ({"bug": 0.5, "billing": 0.45},)
    openai_double.plays(reply="bug", pieces=("bug",), chances=chances, prompt_tokens=400)
    async with Client(stdio_server) as client:
        call = {"prompt": "Which?", "files": ["docs/0*.md"], "labels": ["bug", "billing"]}
        lines = lines_of(await client.call_tool("ask_each", call))
    assert "10 unsure" in lines[0]
    assert lines[-1].startswith("docs/09.md\tunsure\tmost probable: bug (0.05")


async def test_a_table_is_saved_where_it_is_asked_for(stdio_server, docs, project):
    call = {"prompt": "Ok?", "files": ["docs/00.md"], "save_to": "out/table.csv"}
    async with Client(stdio_server) as client:
        result = await client.call_tool("ask_each", call)
    assert "The whole table: out/table.csv" in lines_of(result)
    assert (project / "out" / "table.csv").read_text().startswith("item,answer,")


async def test_progress_says_how_many_of_how_many(stdio_server, docs, openai_double):
    openai_double.plays(Play(reply="Fine.", prompt_tokens=400, delay=0.1))
    heard = []

    async def note(progress, total, message):
        heard.append((progress, total, message))

    async with Client(stdio_server) as client:
        await client.call_tool(
            "ask_each", {"prompt": "Ok?", "files": ["docs/"]}, progress_callback=note
        )
    assert heard
    assert {total for _, total, _ in heard} == {60.0}
    assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)
    assert all(" of 60" in message for _, _, message in heard)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"prompt": "x"}, "nothing to ask about"),
        ({"prompt": "x", "files": ["nowhere/"]}, "not-found"),
        ({"prompt": "x", "items": ["a"], "tool": "ask_local_lama"}, "did you mean ask_local_llama"),
        ({"prompt": "x", "items": ["a"], "save_to": "../a.csv"}, "outside the project"),
        ({"prompt": "x", "itemz": ["a"]}, "did you mean 'items'"),
        ({"prompt": "x", "items": ["a"], "labels": ["one"]}, "there is one label"),
        ({"prompt": "x", "items": ["a"], "schema": {"type": "nonsense"}}, "schema"),
    ],
)
async def test_a_wrong_call_is_told_in_a_line_before_any_model_is_asked(
    stdio_server, docs, openai_double, call, said
):
    async with Client(stdio_server) as client:
        result = await client.call_tool("ask_each", call)
    assert result.is_error
    assert said in lines_of(result)[0] + lines_of(result)[-1]
    assert openai_double.chats == []


async def test_where_no_item_has_an_answer_the_work_is_handed_back(
    stdio_server, docs, openai_double
):
    openai_double.plays(reply="")
    async with Client(stdio_server) as client:
        result = await client.call_tool("ask_each", {"prompt": "Ok?", "files": ["docs/0*.md"]})
    assert result.is_error
    assert lines_of(result)[0].startswith("Not done: none of 10 items has an answer")


async def test_its_definition_is_small_and_says_that_it_may_write(stdio_server):
    async with Client(stdio_server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    each = tools["ask_each"]
    assert each.annotations.read_only_hint is False
    assert len(each.model_dump_json(by_alias=True, exclude_none=True)) < 1600
    assert len(each.description) < 500


class RawWindow:
    """The server, asked line by line: the SDK's client does not know tasks."""

    def __init__(self, parameters):
        self.process = subprocess.Popen(
            [parameters.command, *parameters.args],
            env=parameters.env,
            cwd=parameters.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._id = 0

    def ask(self, method, **params):
        self._id += 1
        params |= {"_meta": CLIENT}
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == self._id:
                return answer
        raise EOFError

    def until_ended(self, task):
        while True:
            told = self.ask("tasks/get", taskId=task)["result"]
            if told["status"] != "working":
                return told

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def raw_window(stdio_server, docs):
    window = RawWindow(stdio_server)
    yield window
    window.close()


@pytest.fixture
def another_window(stdio_server):
    window = RawWindow(stdio_server)
    yield window
    window.close()


CALL = {"name": "ask_each", "arguments": {"prompt": "Ok?", "files": ["docs/0*.md"]}}


def test_a_client_that_knows_tasks_gets_a_handle_and_then_the_same_result(
    raw_window, another_window, project
):
    offered = raw_window.ask("server/discover")["result"]["capabilities"]
    assert EXTENSION in offered["extensions"]
    created = raw_window.ask("tools/call", **CALL)["result"]
    assert (created["resultType"], created["status"]) == ("task", "working")
    # From another window: the handle outlives the connection.
    ended = another_window.until_ended(created["taskId"])
    assert (ended["status"], ended["resultType"]) == ("completed", "complete")
    assert ended["statusMessage"] == "10 of 10"
    text = ended["result"]["content"][0]["text"]
    inline = asyncio.run(_inline(project))
    assert text.splitlines()[1:] == inline.splitlines()[1:]
    assert "10 known from before" in inline


async def _inline(project):
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp"],
        env=dict(os.environ) | {"CLAUDE_PROJECT_DIR": str(project)},
        cwd=str(project),
    )
    async with Client(parameters) as client:
        result = await client.call_tool(CALL["name"], CALL["arguments"])
        return result.content[0].text


def test_a_task_can_be_cancelled_and_its_models_stop(raw_window, openai_double, config_file):
    openai_double.plays(Play(reply="Fine.", prompt_tokens=400, hangs_after=2))
    task = raw_window.ask("tools/call", **CALL)["result"]["taskId"]
    while len(openai_double.chats) < 10:
        raw_window.ask("tasks/get", taskId=task)
    assert raw_window.ask("tasks/cancel", taskId=task)["result"]["resultType"] == "complete"
    assert raw_window.until_ended(task)["status"] == "cancelled"
    assert {row.outcome for row in ledger_rows(config_file)} == {"cancelled"}


def test_a_wrong_call_makes_no_task(raw_window):
    told = raw_window.ask("tools/call", name="ask_each", arguments={"prompt": "x"})["result"]
    assert told["isError"]
    assert told["resultType"] == "complete"


def test_an_unknown_task_is_an_error_that_says_what_to_do(raw_window):
    error = raw_window.ask("tasks/get", taskId="nothing")["error"]
    assert error["code"] == -32602
    assert "make the call again" in error["message"]


def test_a_short_tool_is_no_task(raw_window):
    asked = raw_window.ask("tools/call", name="ask_local_llama", arguments={"prompt": "Hi"})
    assert asked["result"]["resultType"] == "complete"
