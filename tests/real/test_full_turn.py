"""Whole turns of the real Claude Code, before a scripted stand-in for its model.

API key mode, with a key that is none: no login, and nothing leaves the machine.
"""

import json

import pytest

from doubles.asking import DEAD_URL
from engine.held_doubles import HeldOpenAI, until
from real.model_api import Call, ModelApi, result_text
from real.real_client import RealClient, finish

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

LLAMA = "mcp__spadework__ask_local_llama"
ATTIC = "mcp__spadework__ask_attic_llama"
TOOLS = [ATTIC, "mcp__spadework__ask_coding_model", LLAMA]
CONFIG = f"""
[backends.koala]
kind = "openai"
url = "{{url}}"

[backends.attic]
kind = "openai"
url = "{DEAD_URL}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]

[tools.ask_attic_llama]
use_for = "what nobody is at home for"
models = ["attic/llama3-local"]
"""
REGISTERED = {"mcpServers": {"spadework": {"command": "spadework", "args": ["mcp"]}}}
OPTIONS = (
    *("--mcp-config", json.dumps(REGISTERED), "--strict-mcp-config"),
    *("--allowedTools", "mcp__spadework"),
)
LOAD = Call("ToolSearch", {"query": f"select:{LLAMA},{ATTIC}", "max_results": 5})
TWO_AT_ONCE = [
    Call(LLAMA, {"prompt": "Summarize the first. one", "files": ["first.txt"]}),
    Call(LLAMA, {"prompt": "Summarize the second. two", "files": ["second.txt"]}),
]
TO_THE_ATTIC = [Call(ATTIC, {"prompt": "Is anybody there?"})]


@pytest.fixture
def koala():
    """A model server that holds every chat until the test lets go."""
    with HeldOpenAI() as server:
        yield server


@pytest.fixture
def client(tmp_path, monkeypatch, koala, runtime_folder):
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(url=koala.url))
    monkeypatch.setenv("SPADEWORK_CONFIG", str(config))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    client = RealClient.in_folder(tmp_path)
    (client.project / "first.txt").write_text("The gate closes at ten.\n")
    (client.project / "second.txt").write_text("The lamp stays lit.\n")
    return client


async def test_it_finds_the_tools_calls_two_at_once_and_takes_answers_and_a_hand_back(
    client, koala
):
    koala.plays(reply="It is about a gate and a lamp.", prompt_tokens=400)
    script = ([LOAD], TWO_AT_ONCE, TO_THE_ATTIC, "The attic I shall do myself.")
    with ModelApi(*script) as api:
        turn = client.print_turn(api, "Summarize both, then ask the attic.", *OPTIONS)
        # None is let go before both are here.
        await until(lambda: koala.at_once == 2, seconds=60)
        koala.free.set()
        events = finish(turn)

    # By name only at first, with the server's instructions; whole once they were searched for.
    first, second, third, fourth = api.turns
    assert {tool["name"] for tool in first["tools"]}.isdisjoint(TOOLS)
    told = json.dumps(first)
    assert all(name in told for name in TOOLS)
    assert "Spadework hands bounded work to models on the user's own machines" in told
    loaded = {tool["name"]: tool for tool in second["tools"]}
    assert {LLAMA, ATTIC} <= set(loaded)
    assert loaded[LLAMA]["description"].startswith("Delegate to a local model: bulk summarization")
    assert "prompt" in loaded[LLAMA]["input_schema"]["required"]

    # Both answers came back, and the files were read on this side only.
    results = api.results()
    for answer in (results["toolu_2_0"], results["toolu_2_1"]):
        assert "It is about a gate and a lamp." in result_text(answer)
        assert "[koala/llama3-local; " in result_text(answer)
        assert not answer.get("is_error")
    read = "".join(json.dumps(chat.json, ensure_ascii=False) for chat in koala.chats)
    assert "The gate closes at ten." in read
    assert "The lamp stays lit." in read
    assert "The gate closes at ten." not in json.dumps(fourth)
    assert "toolu_2_1" in json.dumps(third)

    # Where nobody is at home, a hand-back, as an error that says so.
    hand_back = results["toolu_3_0"]
    assert hand_back["is_error"] is True
    assert result_text(hand_back).startswith("Not done")
    assert "attic" in result_text(hand_back)
    assert events[-1]["result"] == "The attic I shall do myself."
    assert events[-1]["permission_denials"] == []


async def test_progress_is_shown_on_the_terminal_while_the_model_works(client, koala):
    koala.plays(reply="It is about a gate.", prompt_tokens=400)
    with (
        ModelApi([LOAD], TWO_AT_ONCE[:1], "There is a gate.") as api,
        client.show_turn(api, "Summarize the first.", *OPTIONS) as screen,
    ):
        screen.wait_for("asking koala/llama3-local")
        koala.free.set()
        screen.wait_for("There is a gate.")
    assert "It is about a gate." in result_text(api.results()["toolu_2_0"])
