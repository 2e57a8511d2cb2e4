import contextlib
import os
import subprocess

import pytest
from config_texts import COMMAND, KEY
from model_servers import Server, running


@pytest.fixture
def serve():
    """Start a double of a model server: `serve(routes, key=None)`."""
    with contextlib.ExitStack() as servers:
        yield lambda routes, key=None: servers.enter_context(running(Server(routes, key)))


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(home):
    """An environment without a config, and with keys that no command may print."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_FILE") if name in os.environ
    }
    return kept | {
        "HOME": str(home),
        "SPADEWORK_CONFIG": str(home / "config.toml"),
        "SPADEWORK_DATA": str(home / "data"),
        "LITELLM_API_KEY": KEY,
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def run(environ, home):
    """Run a command: its exit code, standard output and standard error."""

    def run(*arguments, **changed):
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=environ | changed,
            capture_output=True,
            text=True,
            cwd=home,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def config_file(home):
    return home / "config.toml"
