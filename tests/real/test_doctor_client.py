"""What doctor says of the registration is what the real Claude Code makes of it."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from real.node_tools import CLAUDE, node_tool

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

PLUGIN = {
    "name": "spadework",
    "version": "0.1.0",
    "description": "A test.",
    "mcpServers": {"spadework": {"command": "spadework", "args": ["mcp"]}},
}
MARKET = {
    "name": "market",
    "owner": {"name": "A test"},
    "plugins": [{"name": "spadework", "source": "./plugin", "description": "A test."}],
}


class Desk:
    """A user with nothing but the two programs."""

    def __init__(self, folder, url, runtime):
        self.home, self.project = folder / "home", folder / "home" / "project"
        self.project.mkdir(parents=True)
        self.settings = self.home / ".claude" / "settings.json"
        config = folder / "config.toml"
        config.write_text(f'[backends.koala]\nkind = "openai"\nurl = "{url}"\n')
        programs = [str(Path(sys.executable).parent), str(node_tool(CLAUDE).parent)]
        self.environ = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([*programs, "/usr/bin", "/bin"]),
            "SPADEWORK_CONFIG": str(config),
            "SPADEWORK_DATA": str(folder / "data"),
            "XDG_RUNTIME_DIR": str(runtime),
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def run(self, line, folder=None):
        done = subprocess.run(
            shlex.split(line),
            cwd=folder or self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.stdout

    def registration(self, folder=None):
        """Level and text of what doctor says of the client and the registration."""
        told = json.loads(self.run("spadework doctor --json", folder))["findings"]
        found = {one["code"]: one for one in told}
        assert found["client"]["severity"] == "ok"
        assert "Claude Code 2.1.330: " in found["client"]["what"]
        lines = [(o["severity"], o["what"]) for o in told if o["code"] == "registration"]
        return lines, found.get("handshake")

    def settle(self, **keys):
        self.settings.parent.mkdir(exist_ok=True)
        self.settings.write_text(json.dumps(keys))


@pytest.fixture
def desk(tmp_path, openai_double, runtime_folder):
    return Desk(tmp_path, openai_double.url, runtime_folder)


def test_doctor_and_the_client_agree_on_what_is_registered_pending_and_shadowed(desk):
    (nothing,), _ = desk.registration()
    assert nothing[0] == "error"
    assert "No MCP servers configured" in desk.run("claude mcp list")

    desk.run("claude mcp add --scope project spadework -- spadework mcp")
    (pending, unusable), _ = desk.registration()
    assert "Pending approval" in desk.run("claude mcp list")
    assert (pending[0], "is pending approval" in pending[1]) == ("warning", True)
    assert unusable[0] == "error"

    # What waits for approval hides nothing.
    desk.run("claude mcp add --scope user spadework -- spadework mcp")
    (pending, user), handshake = desk.registration()
    assert "is pending approval" in pending[1]
    assert (user[0], "(user scope, " in user[1]) == ("ok", True)
    assert handshake["severity"] == "ok"
    told = desk.run("claude mcp get spadework")
    assert "User config" in told
    assert "Connected" in told

    desk.settle(enabledMcpjsonServers=["spadework"])
    (project, user), _ = desk.registration()
    assert (project[0], "(project scope, " in project[1]) == ("ok", True)
    assert "is shadowed by the entry of the project scope" in user[1]
    assert "Project config" in desk.run("claude mcp get spadework")

    desk.run("claude mcp add --scope local spadework -- spadework mcp")
    (local, *others), _ = desk.registration()
    assert "(local scope, " in local[1]
    assert all("is shadowed by the entry of the local scope" in text for _, text in others)
    assert "Local config" in desk.run("claude mcp get spadework")

    # In a folder below, the repository's root counts, and without one that folder itself.
    below = desk.project / "src"
    below.mkdir()
    assert "(project scope, " in desk.registration(below)[0][0][1]
    assert "Project config" in desk.run("claude mcp get spadework", below)
    subprocess.run(["git", "init", "-q"], cwd=desk.project, check=True)
    assert "(local scope, " in desk.registration(below)[0][0][1]
    assert "Local config" in desk.run("claude mcp get spadework", below)

    desk.settle(disabledMcpjsonServers=["spadework"])
    desk.run("claude mcp remove spadework --scope local")
    desk.run("claude mcp remove spadework --scope user")
    (rejected, _), _ = desk.registration()
    assert "was rejected" in rejected[1]
    assert "No MCP servers configured" in desk.run("claude mcp list")


def test_doctor_and_the_client_agree_on_plugins_and_dead_entries(desk):
    market = desk.home / "market"
    for name, content in (
        (".claude-plugin/marketplace.json", MARKET),
        ("plugin/.claude-plugin/plugin.json", PLUGIN),
    ):
        (market / name).parent.mkdir(parents=True)
        (market / name).write_text(json.dumps(content))
    desk.run(f"claude plugin marketplace add {market}")
    desk.run("claude plugin install spadework@market")
    (plugin,), handshake = desk.registration()
    assert (plugin[0], plugin[1].startswith("plugin:spadework:spadework (plugin, ")) == (
        "ok",
        True,
    )
    assert handshake["severity"] == "ok"
    assert "plugin:spadework:spadework: spadework mcp - ✔ Connected" in desk.run("claude mcp list")

    desk.run("claude mcp add --scope user spadework -- spadework mcp")
    (_, plugin), _ = desk.registration()
    assert "the client leaves the plugin's out" in plugin[1]
    assert "plugin:" not in desk.run("claude mcp list")

    # By another command there are two; the cure that doctor names leaves one.
    desk.run("claude mcp remove spadework --scope user")
    desk.run("claude mcp add --scope user spadework -- spadework mcp --in-process")
    found = json.loads(desk.run("spadework doctor --json"))["findings"]
    (twice,) = [one for one in found if "under several names" in one["what"]]
    plugins_way = "`claude plugin disable spadework`"
    assert f"`claude mcp remove spadework --scope user` or {plugins_way}" in twice["cure"]
    desk.run(plugins_way.strip("`"))
    ((level, text),), _ = desk.registration()
    assert (level, "(user scope, " in text) == ("ok", True)

    desk.run("claude mcp remove spadework --scope user")
    entry = {"spadework": {"command": "spadework", "args": ["mcp"]}}
    desk.settle(mcpServers=entry)
    lines, _ = desk.registration()
    assert "Claude Code ignores mcpServers there" in lines[0][1]
    assert "No MCP servers configured" in desk.run("claude mcp list")
