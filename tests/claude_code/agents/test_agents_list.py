"""`spadework agents list`: every agent, what it runs on, and which of a name counts."""

import json
import os
import pty
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest


def by_name(told, name, source=None):
    (found,) = [one for one in told if one["name"] == name and source in {None, one["source"]}]
    return found


def test_agents_of_user_project_and_built_in_are_listed_with_model_and_tools(world):
    world.agent("reader", "model: haiku", "tools: Read, Bash(git log, git show) Grep")
    world.agent("builder", folder=world.own)
    told = world.json("list")
    reader = by_name(told, "reader")
    assert reader["source"] == "user"
    assert reader["model"] == "haiku"
    assert reader["resolves_to"] == "haiku"
    assert reader["because"] == "frontmatter"
    assert reader["tools"] == ["Read", "Bash(git log, git show)", "Grep"]
    assert by_name(told, "builder")["source"] == "project"
    assert by_name(told, "builder")["resolves_to"] == "main model"
    assert {one["name"] for one in told if one["source"] == "built-in"} == {
        "Explore",
        "Plan",
        "general-purpose",
    }


def test_in_a_pipe_each_agent_is_a_line_of_columns(world):
    path = world.agent("reader", "model: haiku", "tools: [Read, Grep]")
    rows = [line.split("\t") for line in world.run("list").out.splitlines()]
    (row,) = [row for row in rows if row[0] == "reader"]
    assert row == [
        "reader", "user", "haiku", "haiku (frontmatter)", "Read, Grep", "", str(path),
    ]  # fmt: skip


def test_the_project_counts_before_the_user_and_the_nearer_folder_before_the_farther(
    world, monkeypatch
):
    world.agent("same", "model: opus")
    world.agent("same", "model: sonnet", folder=world.own)
    near = world.project / "sub" / "deep"
    world.agent("same", "model: haiku", folder=near / ".claude" / "agents")
    monkeypatch.chdir(near)
    told = [one for one in world.json("list") if one["name"] == "same"]
    assert [one["model"] for one in told if not one["shadowed_by"]] == ["haiku"]
    assert all(str(near) in one["shadowed_by"] for one in told if one["model"] != "haiku")


def test_an_agent_of_a_built_in_name_takes_its_place(world):
    world.agent("Explore", "model: haiku")
    told = world.json("list")
    assert by_name(told, "Explore", "built-in")["shadowed_by"].startswith("user agent")
    assert by_name(told, "Explore", "user")["shadowed_by"] is None


def test_what_lies_above_the_git_root_or_in_the_home_folder_is_no_project_agent(world, tmp_path):
    world.agent("outside", folder=tmp_path / ".claude" / "agents")
    world.agent("inside")
    told = world.json("list")
    assert not [one for one in told if one["name"] == "outside"]
    assert by_name(told, "inside")["source"] == "user"


def test_files_are_found_in_folders_below_and_only_those_that_end_in_md(world):
    world.agent("deep", folder=world.user / "a" / "b")
    world.agent("hidden", folder=world.user / ".x")
    shutil.copy(world.agent("plain"), world.user / "other.MD")
    (world.user / "loop").symlink_to(world.user)
    names = [one["name"] for one in world.json("list")]
    assert names.count("deep") == names.count("hidden") == names.count("plain") == 1


@pytest.mark.parametrize(
    ("shell", "settings", "model", "resolves_to", "because"),
    [
        ({}, {}, None, "main model", "no model named"),
        ({}, {"model": "sonnet"}, None, "main model (sonnet)", "no model named"),
        ({"ANTHROPIC_MODEL": "opus"}, {"model": "sonnet"}, "inherit", "main model (opus)",
         "frontmatter: inherit"),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}, {}, None, "haiku", "CLAUDE_CODE_SUBAGENT_MODEL"),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}, {}, "opus", "opus", "frontmatter"),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}, {}, "inherit", "main model",
         "frontmatter: inherit"),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "opus"}, {"env": {"CLAUDE_CODE_SUBAGENT_MODEL": "haiku"}},
         None, "haiku", "CLAUDE_CODE_SUBAGENT_MODEL"),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "haiku", "CLAUDE_CODE_SUBAGENT_MODEL_FORCE": "1"}, {},
         "opus", "haiku", "CLAUDE_CODE_SUBAGENT_MODEL, forced"),
        ({"CLAUDE_CODE_SUBAGENT_MODEL": "inherit"}, {}, None, "main model", "no model named"),
        ({}, {"env": {"CLAUDE_CODE_SUBAGENT_MODEL_FORCE": True}}, "opus", "main model",
         "CLAUDE_CODE_SUBAGENT_MODEL_FORCE is set"),
    ],
)  # fmt: skip
def test_the_model_follows_the_precedence_of_the_client(
    world, monkeypatch, shell, settings, model, resolves_to, because
):
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    world.file("settings.json", json.dumps(settings), folder=world.home / ".claude")
    world.agent("a", *([f"model: {model}"] if model else []))
    told = by_name(world.json("list"), "a")
    assert (told["resolves_to"], told["because"]) == (resolves_to, because)


def test_settings_that_are_no_json_are_passed_over(world):
    world.file("settings.json", "{ broken", folder=world.home / ".claude")
    world.agent("a")
    assert by_name(world.json("list"), "a")["resolves_to"] == "main model"


def plugin(world, *, source="cache", switched=True, project=None):
    """Lay out a plugin as `claude plugin install` does (2.1.330)."""
    market = world.home / "market"
    copy = world.home / ".claude" / "plugins" / "cache" / "mkt" / "plug" / "1.0.0"
    folder = market / "plug" if source == "directory" else copy
    world.agent("reader", "tools: Read", folder=folder / "agents")
    world.file("bare.md", "---\nmodel: haiku\n---\nx\n", folder=folder / "agents" / "more")
    world.file("plugin.json", '{"name": "plug"}', folder=folder / ".claude-plugin")
    copy.mkdir(parents=True, exist_ok=True)
    entry = {"scope": "user", "installPath": str(copy)}
    entry |= {"projectPath": str(project)} if project else {}
    files = {
        "plugins/installed_plugins.json": {"version": 2, "plugins": {"plug@mkt": [entry]}},
        "plugins/known_marketplaces.json": {
            "mkt": {"source": {"source": source, "path": str(market)}}
        },
        "settings.json": {"enabledPlugins": {"plug@mkt": switched}},
    }
    for name, content in files.items():
        world.file(name, json.dumps(content), folder=world.home / ".claude")
    listed = {"name": "mkt", "plugins": [{"name": "plug", "source": "./plug"}]}
    world.file("marketplace.json", json.dumps(listed), folder=market / ".claude-plugin")
    return folder


@pytest.mark.parametrize("source", ["github", "directory"])
def test_agents_of_plugins_are_listed_by_the_name_that_the_client_gives_them(world, source):
    plugin(world, source=source)
    told = world.json("list")
    assert by_name(told, "plug:reader")["source"] == "plugin"
    assert by_name(told, "plug:more:bare")["description"] == "Agent from plug plugin"
    assert by_name(told, "plug:more:bare")["resolves_to"] == "haiku"


def test_a_plugin_that_is_off_or_for_another_project_has_no_agents(world, tmp_path):
    plugin(world, switched=False)
    assert not [one for one in world.json("list") if one["source"] == "plugin"]
    plugin(world, project=tmp_path / "elsewhere")
    assert not [one for one in world.json("list") if one["source"] == "plugin"]
    plugin(world, project=world.project)
    assert [one for one in world.json("list") if one["source"] == "plugin"]


def test_a_users_agent_of_the_same_name_does_not_take_a_plugin_agents_place(world):
    plugin(world)
    world.agent("reader")
    told = world.json("list")
    assert by_name(told, "plug:reader")["shadowed_by"] is None
    assert by_name(told, "reader")["shadowed_by"] is None


def test_a_plugins_agent_is_copied_not_edited(world):
    folder = plugin(world)
    done = world.run("set", "plug:reader", "haiku", "--yes")
    assert done.code == 2
    assert "belongs to a plugin" in done.err
    assert "spadework agents copy plug:reader --model MODEL" in done.err
    theirs = (folder / "agents" / "reader.md").read_bytes()
    assert world.run("copy", "plug:reader", "--model", "haiku").code == 0
    assert (folder / "agents" / "reader.md").read_bytes() == theirs
    own = (world.user / "reader.md").read_bytes()
    assert own == theirs.replace(b"tools: Read\n", b"tools: Read\nmodel: haiku\n")
    assert by_name(world.json("list"), "reader")["resolves_to"] == "haiku"


def test_a_copy_gets_the_name_and_description_without_which_the_client_drops_it(world):
    plugin(world)
    assert world.run("copy", "plug:more:bare", "--scope", "project").code == 0
    bare = by_name(world.json("list"), "bare")
    assert bare["source"] == "project"
    assert bare["dropped"] is None
    assert bare["description"] == "Agent from plug plugin"


@pytest.mark.slow
def test_a_terminal_shows_a_header_and_short_paths(world):
    world.agent("reader")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spadework", "agents", "list"],
        stdout=theirs,
        env=os.environ | {"COLUMNS": "140"},
    )
    shown = b""
    os.close(theirs)
    with suppress(OSError):  # the end of a terminal is an error
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"runs on" in shown.splitlines()[0]
    assert b"~/.claude/agents/reader.md" in shown


def test_a_folder_that_was_deleted_is_told_in_a_line(world, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = world.run("list")
    assert done.code == 2
    assert "does not exist any more" in done.err
    monkeypatch.chdir(tmp_path)


def test_the_clients_own_folder_may_be_elsewhere(world, monkeypatch, tmp_path):
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "x"))
    world.agent("there", folder=tmp_path / "x" / "agents")
    world.agent("not_there")
    names = {one["name"] for one in world.json("list")}
    assert "there" in names
    assert "not_there" not in names
