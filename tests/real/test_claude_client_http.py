"""The real Claude Code, offline and without login, connects to the server over HTTP."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from real.node_tools import CLAUDE, node_tool

# The first test installs the client.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SCRIPTS = Path(sys.executable).parent
PLACEHOLDER = "Bearer TOKEN"


@pytest.fixture
def environ(tmp_path, openai_double, runtime_folder):
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    config = tmp_path / "config.toml"
    config.write_text(f'[backends.koala]\nkind = "openai"\nurl = "{openai_double.url}"\n')
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": os.pathsep.join([str(SCRIPTS), str(node_tool(CLAUDE).parent), "/usr/bin", "/bin"]),
        "XDG_RUNTIME_DIR": str(runtime_folder),
        "SPADEWORK_CONFIG": str(config),
        "SPADEWORK_DATA": str(tmp_path / "data"),
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }


@pytest.fixture
def shell(tmp_path, environ):
    """Run a command line in a project, as a user with nothing but the two programs has it."""

    def run(line):
        done = subprocess.run(
            shlex.split(line),
            cwd=tmp_path / "project",
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def serve(environ):
    """Start the server; gives the lines that it prints, up to the command that registers it."""
    running = []

    def start(*options):
        process = subprocess.Popen(
            [SCRIPTS / "spadework", "serve", "--http", "127.0.0.1:0", *options],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return [process.stdout.readline(), process.stdout.readline()]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def command_in(line):
    return line.partition(": ")[2].strip()


def test_the_line_that_serve_prints_registers_a_server_that_connects(shell, serve):
    _, line = serve()
    command = command_in(line)
    assert command.startswith("claude mcp add --transport http spadework http://127.0.0.1:")
    assert "Added HTTP MCP server spadework" in shell(command)
    listed = shell("claude mcp list")
    assert "(HTTP) - ✔ Connected" in listed, listed
    assert "Status: ✔ Connected" in shell("claude mcp get spadework")


def test_with_its_token_it_connects_and_without_it_does_not(shell, serve):
    token = shell("spadework token new laptop").strip()
    _, line = serve("--require-token")
    command = command_in(line)
    assert command.endswith(f'--header "Authorization: {PLACEHOLDER}"')
    shell(command.replace(PLACEHOLDER, f"Bearer {token}"))
    listed = shell("claude mcp list")
    assert "(HTTP) - ✔ Connected" in listed, listed
    shell("claude mcp remove spadework")
    shell(command.replace(PLACEHOLDER, f"Bearer {token[:-1]}"))
    listed = shell("claude mcp list")
    assert "✔ Connected" not in listed, listed
