"""The plugins, installed from this folder into the real Claude Code."""

import json
import re
import shutil
from pathlib import Path

import pytest

from real.model_api import Call, ModelApi, result_text
from real.real_client import SCRIPTS, RealClient, finish

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugin.md"
SERVER = "mcp__plugin_spadework_spadework"
BY_HAND = "mcp__spadework"
REMINDER_AT_PROMPT = "Spadework: bulk reading, summaries"
REMINDER_AT_READ = "Spadework: this file has 70 KiB."
PROMPT = "Summarize all the files."


@pytest.fixture
def client(tmp_path, config_file):
    return RealClient.in_folder(tmp_path)


def install(client, *names):
    client.shell(f"claude plugin marketplace add '{ROOT}'")
    for name in names:
        client.shell(f"claude plugin install {name}@spadework")


def tools(server):
    names = ("ask_coding_model", "ask_each", "ask_local_llama", "list_available_local_models")
    return {f"{server}__{name}" for name in names}


def names_in(turn):
    return {tool["name"] for tool in turn["tools"]} - {"DeferredToolPlaceholder"}


def agent(name):
    more = {"description": "carry", "prompt": "Summarize.", "run_in_background": False}
    return Call("Agent", {"subagent_type": f"spadework:{name}", **more})


@pytest.mark.parametrize("folder", [".", "plugin", "plugin/hints"])
def test_the_client_finds_nothing_to_say_against_it(client, folder):
    report = json.loads(client.shell(f"claude plugin validate --strict --json '{ROOT / folder}'"))
    assert (report["success"], report["strict"]) == (True, True)
    assert (report["manifest"]["errors"], report["manifest"]["warnings"]) == ([], [])


def test_installed_from_the_folder_its_server_connects_and_it_goes_as_it_came(client):
    install(client, "spadework")
    listed = client.shell("claude mcp list")
    assert "plugin:spadework:spadework: spadework mcp - ✔ Connected" in listed
    # The hook is another plugin, which nobody has asked for.
    plugins = json.loads(client.shell("claude plugin list --json"))
    assert [plugin["id"] for plugin in plugins] == ["spadework@spadework"]
    client.shell("claude plugin uninstall spadework@spadework")
    assert "spadework" not in client.shell("claude mcp list")


def test_without_the_program_on_the_path_the_server_is_said_to_fail(tmp_path, config_file):
    client = RealClient.in_folder(tmp_path, with_spadework=False)
    install(client, "spadework")
    listed = client.shell("claude mcp list")
    assert "plugin:spadework:spadework: spadework mcp - ✘ Failed to connect" in listed
    # As docs/plugin.md says: the client names the wrong program.
    assert 'Executable not found in $PATH: "stdio"' in listed
    client.shell(f"claude mcp add spadework -- '{SCRIPTS / 'spadework'}' mcp")
    assert "\nspadework: " in (listed := client.shell("claude mcp list"))
    assert listed.count("✔ Connected") == 1


def test_the_commands_of_the_page_work_in_their_order(client):
    for name in ("plugin", ".claude-plugin"):
        shutil.copytree(ROOT / name, client.project / name)
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) == 9
    client.shell("claude mcp add spadework -- spadework mcp")  # what the page removes
    said = {command: client.shell(command) for command in commands}
    assert "✔ Connected" in said["claude mcp list"]
    settings = json.loads((client.home / ".claude" / "settings.json").read_text("utf-8"))
    assert settings == {"enabledPlugins": {}, "extraKnownMarketplaces": {}}


def test_a_turn_with_its_agents_its_skill_and_the_hints(client):
    install(client, "spadework", "spadework-hints")
    client.shell("spadework daemon start")  # on a busy machine the client would not wait for that
    large = client.project / "large.txt"
    large.write_text("A line of text.\n" * (70 * 64))
    script = (
        [agent("courier")],
        [Call(f"{SERVER}__ask_local_llama", {"prompt": "Summarize."})],
        "Three lines, it says.",
        [agent("explorer")],
        "It is in large.txt:1.",
        [Call("Skill", {"skill": "spadework:delegate"})],
        [Call("Read", {"file_path": str(large)})],
        "Done.",
    )
    with ModelApi(*script) as api:
        events = finish(client.print_turn(api, PROMPT, "--allowedTools", SERVER, "Skill"))
    main, courier, _, _, explorer, _, after_skill, last = api.turns

    assert "haiku" in courier["model"]
    assert names_in(courier) == tools(SERVER)
    assert "Three lines." in result_text(api.results()["toolu_2_0"])
    assert "haiku" in explorer["model"]
    assert names_in(explorer) == {"Read", "Grep", "Glob"}
    assert "# Handing work to a local model" in json.dumps(after_skill)

    assert REMINDER_AT_PROMPT in json.dumps(main)
    assert REMINDER_AT_READ in json.dumps(last)
    # It reminds, and the file is read all the same.
    assert "A line of text." in result_text(api.results()["toolu_7_0"])
    assert not api.results()["toolu_7_0"].get("is_error")
    assert events[-1]["result"] == "Done."
    assert not [event for event in events if "hook_no_verdict" in json.dumps(event)]


@pytest.mark.parametrize("how", ["by a variable", "in the client"])
def test_the_hints_can_be_muted(client, how):
    install(client, "spadework-hints")
    if how == "by a variable":
        client.environ["SPADEWORK_HINTS"] = "0"
    else:
        client.shell("claude plugin disable spadework-hints@spadework")
    with ModelApi("Done.") as api:
        finish(client.print_turn(api, PROMPT))
    assert REMINDER_AT_PROMPT not in json.dumps(api.turns)


def test_beside_a_server_registered_by_hand_there_is_one_and_the_agents_reach_it(client):
    install(client, "spadework")
    client.shell("claude mcp add -s user spadework -- spadework mcp")
    client.shell("spadework daemon start")  # the client does not wait for such a server to connect
    script = (
        [agent("courier")],
        [Call(f"{BY_HAND}__ask_local_llama", {"prompt": "Summarize."})],
        "Three lines, it says.",
        "Done.",
    )
    with ModelApi(*script) as api:
        events = finish(client.print_turn(api, PROMPT, "--allowedTools", BY_HAND))
    started = events[0]
    assert [server["name"] for server in started["mcp_servers"]] == ["spadework"]
    courier = api.turns[1]
    assert names_in(courier) == tools(BY_HAND)
    assert "Three lines." in result_text(api.results()["toolu_2_0"])
    # The hook is off by default.
    assert REMINDER_AT_PROMPT not in json.dumps(api.turns)


def test_beside_one_registered_with_another_command_there_are_two(client):
    install(client, "spadework")
    client.shell("claude mcp add -s user spadework -- spadework mcp --in-process")
    listed = client.shell("claude mcp list")
    assert listed.count("✔ Connected") == 2, listed
    client.shell("claude mcp remove -s user spadework")
    assert client.shell("claude mcp list").count("✔ Connected") == 1
