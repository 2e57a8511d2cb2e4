"""Every command that prints a table works in a real terminal, however narrow it is."""

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

pytestmark = pytest.mark.slow

COMMANDS = [
    ["log"],
    ["models"],
    ["status"],
    ["agents", "list"],
    ["doctor"],
    ["pipeline", "list"],
]
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def shown(command, columns, folder):
    """Run a command in a pseudo terminal of so many columns; return its exit code and its text."""
    main, other = pty.openpty()
    termios.tcsetwinsize(other, (24, columns))
    environ = {name: one for name, one in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "spadework", *command],
        cwd=folder,
        env=environ | {"TERM": "xterm"},
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    text = b""
    try:
        while data := os.read(main, 65536):
            text += data
    except OSError:  # how a pseudo terminal says that its other end is closed
        pass
    finally:
        os.close(main)
    return process.wait(), STYLE.sub("", text.decode()).replace("\r", "")


@pytest.fixture
def daemon(spadework):
    """A daemon, without which `status` has no table to show."""
    assert spadework("daemon", "start").returncode == 0
    yield
    spadework("daemon", "stop")


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_table_fits_a_narrow_terminal(spadework, project, command):
    assert spadework("ask", "How many lines?", "-f", "notes.md").returncode == 0
    for columns in (80, 60, 40, 20):
        code, text = shown(command, columns, project)
        assert "Traceback" not in text
        assert "Error" not in text
        assert code in {0, 1, 2} if command == ["doctor"] else code == 0, text
        assert text.strip()
        if command in (["log"], ["models"], ["agents", "list"]):
            assert all(len(line) <= columns for line in text.splitlines()), text
