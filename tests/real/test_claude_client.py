"""The real Claude Code, offline and without login, connects to the server."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from real.node_tools import CLAUDE, node_tool

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

REGISTER = "claude mcp add spadework -- spadework mcp"
PAGE = Path(__file__).parents[2] / "docs" / "setup.md"


@pytest.fixture
def shell(tmp_path, openai_double, runtime_folder):
    """Run a command line in a project, as a user with nothing but the two programs has it."""
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    config = tmp_path / "config.toml"
    config.write_text(f'[backends.koala]\nkind = "openai"\nurl = "{openai_double.url}"\n')
    programs = [str(Path(sys.executable).parent), str(node_tool(CLAUDE).parent)]
    environ = {
        "HOME": str(home),
        "PATH": os.pathsep.join([*programs, "/usr/bin", "/bin"]),
        "SPADEWORK_CONFIG": str(config),
        "SPADEWORK_DATA": str(tmp_path / "data"),
        "XDG_RUNTIME_DIR": str(runtime_folder),
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }

    def run(line):
        done = subprocess.run(
            shlex.split(line),
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_the_command_of_the_docs_registers_a_server_that_connects(shell):
    assert f"\n$ {REGISTER}\n" in PAGE.read_text("utf-8")
    assert "Added stdio MCP server spadework" in shell(REGISTER)
    assert "spadework: spadework mcp - ✔ Connected" in shell("claude mcp list")
    assert "Status: ✔ Connected" in shell("claude mcp get spadework")


def test_a_server_that_cannot_start_is_not_said_to_be_connected(shell, tmp_path):
    (tmp_path / "config.toml").write_text("[backends.koala]\nkind = 'openia'\n")
    shell(REGISTER)
    assert "spadework: spadework mcp - ✘ Failed to connect" in shell("claude mcp list")
