"""The real Claude Code loads the agents that we say it loads, on the models that we say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from real.agent_turn import GO, AgentTurn
from real.node_tools import CLAUDE, node_tool

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

NOWHERE = "http://127.0.0.1:9"

# Heads of agent files, each odd in its way; {n} is the agent's name.
ODD_HEADS = {
    "no description": "name: {n}\n",
    "description empty": 'name: {n}\ndescription: ""\n',
    "description null": "name: {n}\ndescription: ~\n",
    "description a number": "name: {n}\ndescription: 1e3\n",
    "description true": "name: {n}\ndescription: true\n",
    "description yes": "name: {n}\ndescription: yes\n",
    "description a date": "name: {n}\ndescription: 2020-01-01\n",
    "description a list": "name: {n}\ndescription: [x]\n",
    "description tagged": "name: {n}\ndescription: !!str 5\n",
    "name a number": "name: 42\ndescription: {n}\n",
    "name with colon": "name: {n}:b\ndescription: x\n",
    "name with a wide colon": "name: {n}\uff1ab\ndescription: x\n",
    "name with dash": "name: -{n}\ndescription: x\n",
    "colon in value": "name: {n}\ndescription: Use it: now\n",
    "colon in value, CRLF": "name: {n}\r\ndescription: Use it: now\r\n",
    "open list": "name: {n}\ndescription: [a\n",
    "open quote": 'name: {n}\ndescription: "abc\n',
    "quotes in quotes": 'name: {n}\ndescription: "say "hi" now"\n',
    "at sign": "name: {n}\ndescription: @abc\n",
    "star": "name: {n}\ndescription: *.py files\n",
    "pipe with text": "name: {n}\ndescription: | x\n",
    "block scalar": "name: {n}\ndescription: |\n  x\n  y\n",
    "dashes in value": "name: {n}\ndescription: a --- b\nmodel: haiku\n",
    "dashes at the end": "name: {n}\ndescription: x---\n",
    "doubled key": "name: {n}\ndescription: a\ndescription: 5\n",
    "anchor and alias": "name: &a {n}\ndescription: *a\n",
    "unknown alias": "name: {n}\ndescription: *zz\n",
    "flow mapping": "{{name: {n}, description: x}}\n",
    "complex key": "? name\n: {n}\ndescription: x\n",
    "indented": "  name: {n}\n  description: x\n",
    "wrongly indented": "name: {n}\n description: x\n",
    "a list": "- name: {n}\n- description: x\n",
    "tab at the end": "name: {n}\t\ndescription: x\n",
    "tab behind the colon": "name:\t{n}\ndescription: x\n",
    "tab in front": "name: {n}\ndescription: x\ntools:\n\t- Read\n",
    "control character": "name: {n}\ndescription: a\x01b\n",
    "NUL": "name: {n}\ndescription: a\x00b\n",
    "next line": "name: {n}\ndescription: a\x85b\n",
    "two documents": "name: {n}\ndescription: x\n...\nb: c\n",
    "comments": "# c\nname: {n} # c\ndescription: x\n",
    "colon within": "name: {n}\ndescription: x\nmeta:\n  k: a: b\n",
}
ODD_FILES = {
    "no frontmatter": "Only text.\n",
    "nothing": "",
    "never closed": "---\nname: {n}\ndescription: x\n",
    "blank lines": "---\n\n\nname: {n}\ndescription: x\n\n---\n",
    "text behind the end": "---\nname: {n}\ndescription: x\n---foo\n",
    "four dashes": "----\nname: {n}\ndescription: x\n---\n",
    "blanks behind": "--- \t\nname: {n}\ndescription: x\n---\n",
    "late": "\n---\nname: {n}\ndescription: x\n---\n",
    "byte order mark": "\ufeff---\r\nname: {n}\r\ndescription: x\r\n---\r\n",
    "no end of line": "---\nname: {n}\ndescription: x\n---",
    "old Mac": "---\rname: {n}\rdescription: x\r---\r",
}


class Client:
    """A home, a project, and both programs."""

    def __init__(self, root, environ):
        self.home, self.project = root / "home", root / "project"
        self.agents = self.home / ".claude" / "agents"
        self.agents.mkdir(parents=True)
        (self.project / ".git").mkdir(parents=True)
        self._environ = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "SPADEWORK_DATA": str(root / "data"),
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **environ,
        }

    def spadework(self, *arguments):
        command = [sys.executable, "-m", "spadework", "agents", *arguments]
        return self._run(command, self._environ)

    def claude(self, *arguments, api=NOWHERE, **environ):
        environ = self._environ | environ | {"ANTHROPIC_BASE_URL": api, "ANTHROPIC_API_KEY": "x"}
        return self._run([str(node_tool(CLAUDE)), *arguments], environ)

    def _run(self, command, environ):
        return subprocess.run(
            command,
            cwd=self.project,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def listed(self):
        """What `spadework agents list` says of each agent that counts."""
        told = json.loads(self.spadework("list", "--json").stdout)
        return {one["name"]: one for one in told if not (one["dropped"] or one["shadowed_by"])}

    def loaded(self):
        """The agents that the client names when a session begins."""
        with AgentTurn() as turn:
            done = self.claude(
                *("-p", "--output-format", "stream-json", "--verbose", "Hello."), api=turn.url
            )
        (told,) = [
            told
            for line in done.stdout.splitlines()
            if (told := json.loads(line)).get("subtype") == "init"
        ]
        return set(told["agents"])

    def turn(self, *agents, options=(), **environ):
        """Let the client start agents; returns what it asked the model for."""
        with AgentTurn(*agents) as turn:
            done = self.claude("-p", GO, *options, api=turn.url, **environ)
            assert done.returncode == 0, done.stdout + done.stderr
        return turn


@pytest.fixture
def client(tmp_path, config_file, runtime_folder):
    return Client(
        tmp_path,
        {"SPADEWORK_CONFIG": str(config_file), "XDG_RUNTIME_DIR": str(runtime_folder)},
    )


def test_the_client_loads_the_very_agents_that_we_list(client):
    files = ODD_FILES | {name: f"---\n{head}---\nDo.\n" for name, head in ODD_HEADS.items()}
    for number, (name, text) in enumerate(files.items()):
        content = text.replace("{n}", f"n{number}").replace("{{", "{").replace("}}", "}")
        (client.agents / f"{name}.md").write_bytes(content.encode())
    (client.agents / "upper.MD").write_text("---\nname: upper\ndescription: x\n---\n")
    (client.agents / "latin.md").write_bytes(b"---\nname: latin\ndescription: \xe9\n---\n")
    deep = client.agents / ".a" / "b"
    deep.mkdir(parents=True)
    (deep / "c.md").write_text("---\nname: deep\ndescription: x\n---\n")
    ours = client.listed()
    built_in = {"claude", "statusline-setup"}
    assert client.loaded() - built_in == set(ours)
    assert "latin" in ours
    assert "deep" in ours
    assert len(ours) > 25


def test_agents_run_on_the_models_that_we_tell_with_the_tools_that_we_give(client):
    for kind in ("explorer", "courier"):
        assert client.spadework("new", kind).returncode == 0
    assert client.spadework("new", "explorer", "--name", "Explore").returncode == 0
    plain = "---\nname: {0}\ndescription: x\n{1}---\nMARK-{0}\n"
    for name, line in {"plain": "", "heir": "model: inherit\n", "odd": "model: ollama/x\n"}.items():
        (client.agents / f"{name}.md").write_text(plain.format(name, line))
    (client.agents / "mine.md").write_text(plain.format("mine", "model: opus # dear\n"))
    assert client.spadework("set", "mine", "sonnet", "--yes").returncode == 0
    servers = {"spadework": {"command": sys.executable, "args": ["-m", "spadework", "mcp"]}}
    options = ("--mcp-config", json.dumps({"mcpServers": servers}))
    names = ("explorer", "courier", "Explore", "plain", "heir", "odd", "mine")
    turn = client.turn(*names, options=options, CLAUDE_CODE_SUBAGENT_MODEL="haiku")
    main = turn.seen[0].model
    courier, plain = turn.agent("You carry a job"), turn.agent("MARK-plain")
    explorers = [one for one in turn.seen if "You find things and report" in one.text]
    assert [one.tools for one in explorers] == [["Read", "Grep", "Glob"]] * 2
    assert all("haiku" in one.model for one in (*explorers, courier, plain))
    assert turn.agent("MARK-heir").model == main
    assert turn.agent("MARK-odd").model == "ollama/x"
    assert "sonnet" in turn.agent("MARK-mine").model
    told = set(courier.tools) - {"DeferredToolPlaceholder"}
    assert {"mcp__spadework__ask_local_llama", "mcp__spadework__ask_coding_model"} <= told
    assert all(tool.startswith("mcp__spadework__") for tool in told)


def test_a_forced_variable_beats_every_frontmatter_and_the_project_beats_the_user(client):
    plain = "---\nname: same\ndescription: x\nmodel: {1}\n---\nMARK-{0}\n"
    (client.agents / "same.md").write_text(plain.format("user", "haiku"))
    own = client.project / ".claude" / "agents"
    own.mkdir(parents=True)
    (own / "same.md").write_text(plain.format("project", "haiku"))
    forced = {"CLAUDE_CODE_SUBAGENT_MODEL": "sonnet", "CLAUDE_CODE_SUBAGENT_MODEL_FORCE": "1"}
    turn = client.turn("same", **forced)
    assert "sonnet" in turn.agent("MARK-project").model
    assert not [one for one in turn.seen if "MARK-user" in one.text]


def test_a_plugins_agents_are_found_by_their_names_and_our_texts_are_valid_in_a_plugin(client):
    plugin = client.home / "market" / "plug"
    for folder in (".claude-plugin", "agents/more"):
        (plugin / folder).mkdir(parents=True)
    about = {"name": "plug", "version": "1.0.0", "description": "x", "author": {"name": "x"}}
    (plugin / ".claude-plugin" / "plugin.json").write_text(json.dumps(about))
    for kind in ("explorer", "courier"):
        text = client.spadework("new", kind, "--dry-run").stdout
        (plugin / "agents" / f"{kind}.md").write_text(text)
    checked = json.loads(client.claude("plugin", "validate", "--json", str(plugin)).stdout)
    assert checked["success"]
    assert [one for one in checked["contents"] if one["errors"] or one["warnings"]] == []
    (plugin / "agents" / "more" / "bare.md").write_text("Do.\n")
    market = {"name": "mkt", "owner": {"name": "x"}}
    market["plugins"] = [{"name": "plug", "source": "./plug", "description": "x"}]
    (plugin.parent / ".claude-plugin").mkdir()
    (plugin.parent / ".claude-plugin" / "marketplace.json").write_text(json.dumps(market))
    for line in (["marketplace", "add", str(plugin.parent)], ["install", "plug@mkt"]):
        assert client.claude("plugin", *line).returncode == 0
    assert client.spadework("copy", "plug:courier").returncode == 0
    expected = {"plug:explorer", "plug:courier", "plug:more:bare", "courier"}
    ours = set(client.listed())
    assert expected <= ours
    assert ours <= client.loaded()
