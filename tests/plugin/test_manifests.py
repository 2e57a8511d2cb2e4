"""What the plugins and the marketplace say of themselves, as files."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest

from spadework import __version__

ROOT = Path(__file__).parents[2]
MARKETPLACE = json.loads((ROOT / ".claude-plugin" / "marketplace.json").read_text("utf-8"))
FOLDERS = {entry["name"]: ROOT / entry["source"] for entry in MARKETPLACE["plugins"]}
AGENTS = sorted((ROOT / "plugin" / "agents").glob("*.md"))
SKILL = ROOT / "plugin" / "skills" / "delegate" / "SKILL.md"


def manifest(folder):
    return json.loads((folder / ".claude-plugin" / "plugin.json").read_text("utf-8"))


def fields(path):
    head = path.read_text("utf-8").split("---\n")[1]
    return dict(re.findall(r"^([\w-]+): (.*)$", head, re.MULTILINE))


def files_of_the_plugins():
    tops = (ROOT / "plugin", ROOT / ".claude-plugin")
    return [path for top in tops for path in top.rglob("*") if path.is_file()]


def test_the_marketplace_lists_the_plugins_by_their_own_names():
    assert set(FOLDERS) == {"spadework", "spadework-hints"}
    for name, folder in FOLDERS.items():
        assert manifest(folder)["name"] == name


@pytest.mark.parametrize("name", FOLDERS)
def test_the_version_is_that_of_the_package(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert manifest(FOLDERS[name])["version"] == project["version"] == __version__


def test_the_hook_is_no_part_of_the_plugin_itself():
    own = manifest(FOLDERS["spadework"])
    assert "hooks" not in own
    assert not (FOLDERS["spadework"] / "hooks").exists()


def test_the_server_is_registered_as_by_hand_so_that_the_client_sees_a_duplicate():
    page = (ROOT / "docs" / "setup.md").read_text("utf-8")
    server = manifest(FOLDERS["spadework"])["mcpServers"]["spadework"]
    by_hand = " ".join([server["command"], *server["args"]])
    assert set(server) == {"command", "args"}
    assert f"claude mcp add spadework -- {by_hand}\n" in page


def test_the_agents_run_on_haiku_and_the_courier_reaches_the_tools_under_both_names():
    assert [path.stem for path in AGENTS] == ["courier", "explorer"]
    for path in AGENTS:
        assert fields(path)["name"] == path.stem
        assert fields(path)["model"] == "haiku"
    courier, explorer = map(fields, AGENTS)
    assert courier["tools"] == "mcp__spadework, mcp__plugin_spadework_spadework"
    assert explorer["tools"] == "Read, Grep, Glob"


def test_the_agents_are_those_that_agents_new_writes():
    written = ROOT / "src" / "spadework" / "claude_code" / "agents" / "texts"
    for path in AGENTS:
        assert path.read_bytes() == (written / path.name).read_bytes()


def test_the_skill_leaves_the_model_to_the_user():
    assert fields(SKILL)["name"] == "delegate"
    assert set(fields(SKILL)) == {"name", "description"}
    assert len(SKILL.read_text("utf-8")) < 4000


def test_no_name_takes_anothers_and_no_file_sets_the_address_of_the_api():
    for name, folder in FOLDERS.items():
        named = f"{name} {MARKETPLACE['name']} {manifest(folder).get('displayName', '')}".lower()
        assert "claude" not in named
        assert "anthropic" not in named
    for path in files_of_the_plugins():
        assert "ANTHROPIC_" not in path.read_text("utf-8"), path


def test_every_hook_starts_a_file_that_is_there_and_waits_two_seconds_at_most():
    folder = FOLDERS["spadework-hints"]
    hooks = json.loads((folder / "hooks" / "hooks.json").read_text("utf-8"))["hooks"]
    assert set(hooks) == {"UserPromptSubmit", "PreToolUse"}
    for entry in (entry for entries in hooks.values() for entry in entries):
        for hook in entry["hooks"]:
            program = Path(hook["command"].replace("${CLAUDE_PLUGIN_ROOT}", str(folder)))
            assert os.access(program, os.X_OK)
            assert hook["timeout"] <= 2
            # Without `args` the client starts a shell around it, which costs as much again.
            assert hook["args"] == []
