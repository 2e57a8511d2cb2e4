"""The official inspector, as a client of the real `spadework mcp` over real pipes."""

import json
import subprocess
import sys

import pytest

from real.node_tools import INSPECTOR, node_program, node_tool
from spadework.mcp.tool_results import FIGURES_KEY

# The first test installs the inspector.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""

A_TOOL_SAID_ERROR = 5
"""The inspector's exit code for a result that is an error."""


@pytest.fixture
def inspect(tmp_path, openai_double, runtime_folder):
    """Run one method of the server; returns the exit code and what was printed as JSON."""
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    (tmp_path / "config.toml").write_text(CONFIG.format(url=openai_double.url))
    project = tmp_path / "project"
    project.mkdir()
    (project / "notes.md").write_text("first line\nsecond line\nthird line\n")
    # The inspector gives a server none of its own environment but what it is told to.
    server = ["-e", f"SPADEWORK_CONFIG={tmp_path / 'config.toml'}"]
    server += ["-e", f"SPADEWORK_DATA={tmp_path / 'data'}", "--cwd", str(project)]
    server += ["-e", f"XDG_RUNTIME_DIR={runtime_folder}"]
    server += [sys.executable, "-m", "spadework", "mcp"]
    program = [node_program(), node_tool(INSPECTOR), "--cli", *server]

    def run(method, *options):
        done = subprocess.run(
            [*program, "--method", method, *options],
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def ask(inspect, *arguments):
    return inspect("tools/call", "--tool-name", "ask_local_llama", "--tool-arg", *arguments)


def test_the_tools_are_listed_as_their_schemas_say(inspect):
    status, listed = inspect("tools/list")
    assert status == 0
    tools = {tool["name"]: tool for tool in listed["tools"]}
    assert list(tools) == [
        "ask_local_llama",
        "ask_coding_model",
        "ask_each",
        "list_available_local_models",
    ]
    for name, tool in tools.items():
        assert tool["annotations"] == {"readOnlyHint": name != "ask_each"}
    assert not any("outputSchema" in tool for tool in tools.values())
    asking = tools["ask_local_llama"]
    assert "bulk summarization" in asking["description"]
    properties = asking["inputSchema"]["properties"]
    assert set(properties) == {"prompt", "files", "max_tokens", "schema", "labels"}
    assert asking["inputSchema"]["required"] == ["prompt"]


def test_no_schema_has_a_problem_that_another_client_could_trip_over(inspect):
    status, _listed = inspect("tools/list", "--strict")
    assert status == 0


def test_a_call_delegates_a_file(inspect, openai_double):
    status, result = ask(inspect, "prompt=How many?", 'files=["notes.md:2-3"]', "max_tokens=50")
    assert status == 0
    assert result["isError"] is False
    assert result["content"][0] == {"type": "text", "text": "Three lines."}
    assert result["content"][1]["text"].startswith("[koala/llama3-local; 7 checks passed")
    assert "structuredContent" not in result
    assert result["_meta"][FIGURES_KEY]["bytes_read"] > 0
    [chat] = openai_double.chats
    assert "2| second line" in chat.json["messages"][-1]["content"]
    assert "first line" not in chat.json["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["propmt=Hi"], "unknown argument 'propmt'; did you mean 'prompt'?"),
        (["prompt=42"], "argument 'prompt': expected a string, got an integer: 42"),
        (["prompt=Hi", 'files=["../outside"]'], "outside-roots"),
    ],
)
def test_a_wrong_call_is_an_error_result(inspect, openai_double, arguments, said):
    status, result = ask(inspect, *arguments)
    assert status == A_TOOL_SAID_ERROR
    assert result["isError"] is True
    assert said in result["content"][0]["text"]
    assert openai_double.chats == []
