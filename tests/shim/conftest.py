"""The shim as a process, before a daemon that does as it is told."""

import os
import subprocess
import sys

import pytest
from fake_daemon import FakeDaemon


@pytest.fixture
def window(tmp_path, monkeypatch, runtime_folder):
    """The environment of one Claude Code window."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    monkeypatch.delenv("SPADEWORK_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def daemon_of(window):
    """Start a daemon where the shim looks with the environment as it is then."""
    started = []

    def start():
        started.append(FakeDaemon())
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def daemon(daemon_of):
    return daemon_of()


@pytest.fixture
def start_shim(window):
    """Start `spadework mcp` with more variables in its environment."""
    started = []

    def start(*arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **environment):
        shim = subprocess.Popen(
            [sys.executable, "-m", "spadework", *arguments, "mcp"],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=os.environ | environment,
            cwd=window,
        )
        started.append(shim)
        return shim

    yield start
    for shim in started:
        shim.kill()
        shim.wait()
        for stream in (shim.stdin, shim.stdout, shim.stderr):
            if stream:
                stream.close()
