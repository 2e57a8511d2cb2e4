"""A config before a double, windows, and the daemon that they start."""

import subprocess
import time

import pytest
from windows import COMMAND, Window

from journeyman.daemon import control
from journeyman.ledger import Filter, Ledger

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\n")
    return folder


@pytest.fixture
def config_file(tmp_path, monkeypatch, openai_double, runtime_folder):
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JOURNEYMAN_CONFIG", str(path))
    monkeypatch.setenv("JOURNEYMAN_DATA", str(tmp_path / "data"))
    return path


@pytest.fixture
def window(config_file, project):
    """Open a window of the older revision, with what else its environment shall hold."""
    opened = []

    def start(*arguments, opens=True, **environment):
        one = Window(project, *arguments, **environment)
        opened.append(one)
        return one.open() if opens else one

    yield start
    for one in opened:
        one.end()


@pytest.fixture
def journeyman(config_file, project):
    """Run a command as a shell does."""

    def run(*arguments, **options):
        options = {"timeout": 60, "cwd": project} | options
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, check=False, **options
        )

    return run


@pytest.fixture
def daemon_pid(config_file):
    """The process id of the daemon that runs now."""

    def pid():
        told = control.describe()
        return told and told["pid"]

    return pid


@pytest.fixture
def rows(config_file):
    """The ledger's rows, as soon as there are so many; newest first."""

    def read(count):
        deadline = time.monotonic() + 20
        path = config_file.parent / "data" / "ledger.db"
        while True:
            found = []
            if path.exists():
                ledger = Ledger(path)
                found = list(ledger.entries(Filter(limit=100)))
                ledger.close()
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    return read


@pytest.fixture
def log_text(config_file):
    """What the daemons of this test have logged."""

    def read():
        path = config_file.parent / "data" / "daemon.log"
        return path.read_text() if path.exists() else ""

    return read
