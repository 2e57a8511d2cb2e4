"""A config before a double, windows, and the daemon that they start."""

import subprocess
import time

import pytest
from windows import COMMAND, Window

from spadework.daemon import control
from spadework.storage.ledger import Filter, Ledger


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\n")
    return folder


@pytest.fixture
def config_file(config_file, tmp_path, monkeypatch):
    """The same in a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return config_file


@pytest.fixture
def window(config_file, project):
    """Open a window of the older revision, with more variables in its environment."""
    opened = []

    def start(*arguments, opens=True, **environment):
        one = Window(project, *arguments, **environment)
        opened.append(one)
        return one.open() if opens else one

    yield start
    for one in opened:
        one.end()


@pytest.fixture
def spadework(config_file, project):
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
