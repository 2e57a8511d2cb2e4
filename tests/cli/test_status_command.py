"""`spadework status`: for a person, for a pipe, for a program, and live."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from doubles.plays import Play
from remote.houses import a_house, until
from spadework.cli.status_view import load_status, sections
from spadework.errors import DaemonError

NONE_RUNS = "no daemon is running; the first window or `spadework daemon start` starts one"
TOLD = {
    "daemon": {
        "version": "0.1.0",
        "pid": 42,
        "started": 1_000.0,
        "connections": [{"role": "mcp"}, {"role": "mcp"}, {"role": "call"}],
    },
    "backends": [
        {
            "name": "koala",
            "kind": "llama-swap",
            "slots": 4,
            "running": 1,
            "waiting": 3,
            "exclusive": True,
            "loaded": ["llama3-local"],
            "swaps": 2,
        },
        {
            "name": "panda",
            "kind": "openai",
            "slots": 32,
            "running": 0,
            "waiting": 0,
            "exclusive": False,
            "loaded": None,
            "swaps": 0,
        },
    ],
    "running": [
        {
            "session": "3f2a",
            "tool": "ask_local_llama",
            "model": "koala/llama3-local",
            "kind": "interactive",
            "seconds": 1.25,
            "cold": True,
        }
    ],
    "waiting": [
        {
            "session": "9b1c",
            "models": ["koala/a", "panda/b"],
            "kind": "batch",
            "count": 3,
            "seconds": 12.0,
        }
    ],
    "breakers": [
        {
            "name": "panda",
            "state": "open",
            "reason": "connection\nrefused\x1b[31m",
            "reopens_in": 4.6,
        }
    ],
    "errors": [{"at": 0.0, "model": "panda/b", "kind": "Unreachable", "message": "nobody"}],
}


@pytest.fixture
def house(tmp_path_factory):
    with a_house(tmp_path_factory.mktemp("h")) as house:
        house.double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
        yield house


def laid_out():
    return {one.header[0]: one.rows for one in sections(load_status(TOLD), now=4_725.0)}


def test_every_part_of_the_status_has_its_rows():
    shown = laid_out()
    assert list(shown) == ["daemon", "backend", "running", "waiting", "breaker", "error"]
    assert shown["daemon"] == (("0.1.0", "42", "1:02:05", "2"),)
    assert shown["backend"] == (
        ("koala", "llama-swap", "1", "4", "3", "yes", "2", "llama3-local"),
        ("panda", "openai", "0", "32", "0", "no", "0", ""),
    )
    assert shown["running"] == (
        ("3f2a", "ask_local_llama", "koala/llama3-local", "interactive", "1.2", "loading"),
    )
    assert shown["waiting"] == (("9b1c", "batch", "3", "12.0", "koala/a, panda/b"),)


def test_what_a_server_says_does_not_reach_the_terminal_as_it_is():
    assert laid_out()["breaker"] == (("panda", "open", "5", "connection refused"),)


def test_parts_with_nothing_in_them_are_left_out():
    told = TOLD | {"running": [], "waiting": [], "breakers": [], "errors": []}
    shown = sections(load_status(told), now=4_725.0)
    assert [one.header[0] for one in shown] == ["daemon", "backend"]


@pytest.mark.parametrize("told", [{}, {"daemon": None}, TOLD | {"backends": [{}]}])
def test_a_status_of_another_version_is_one_error(told):
    with pytest.raises(DaemonError, match="status is not understood"):
        load_status(told)


@pytest.mark.slow
def test_without_a_daemon_it_says_so_and_exits_with_1(house):
    assert house.run("status") == (1, "", f"{NONE_RUNS}\n")
    code, out, err = house.run("status", "--json")
    assert (code, json.loads(out), err) == (1, {"running": False}, "")
    assert not list((house.folder / "run").rglob("*.sock"))


@pytest.mark.slow
def test_it_shows_what_runs_and_what_failed_in_columns_for_a_pipe(house):
    daemon = house.start_daemon()
    house.double.plays(reply="", model="codellama-local")
    house.run("ask", "Hi", "-m", "koala/codellama-local")
    house.double.plays(Play(hangs_after=2))
    asked_before = len(house.double.chats)
    asking = house.start("ask", "Hi")
    until(lambda: len(house.double.chats) > asked_before, "the model is asked")
    code, out, err = house.run("status")
    asking.send_signal(signal.SIGINT)
    asking.communicate(timeout=20)
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    by_word = {row[0]: row[1:] for row in rows}
    assert by_word["daemon"][1] == str(daemon.pid)
    assert by_word["daemon"][3] == "0"
    assert next(row[1:4] for row in rows if row[0] == "backend") == ["koala", "openai", "1"]
    assert by_word["running"][:4] == [
        "shell",
        "ask_local_llama",
        "koala/llama3-local",
        "interactive",
    ]
    assert by_word["error"][1:3] == ["koala/codellama-local", "CheckFailed"]


@pytest.mark.slow
def test_watching_needs_a_terminal_or_json(house):
    code, out, err = house.run("status", "--watch")
    assert (code, out) == (2, "")
    assert "--watch needs a terminal" in err


@pytest.mark.slow
def test_watching_in_json_prints_a_line_a_second_until_ctrl_c(house):
    house.start_daemon()
    watching = house.start("status", "--watch", "--json")
    first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert (watching.returncode, err) == (0, "")
    assert first["daemon"]["pid"] == second["daemon"]["pid"]


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, house, *arguments):
        self._leader, follower = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spadework", *arguments],
            cwd=house.project,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=dict(os.environ, TERM="xterm", COLUMNS="120", LINES="40"),
            start_new_session=True,
        )
        os.close(follower)
        self.shown = ""

    def until(self, words):
        deadline = time.monotonic() + 30
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown
            self._read()

    def _read(self):
        if select.select([self._leader], [], [], 0.1)[0]:
            try:
                self.shown += os.read(self._leader, 65536).decode(errors="replace")
            except OSError:  # Linux tells the end of a terminal so
                return False
        return True

    def end(self):
        while self.process.poll() is None and self._read():
            pass
        self.process.wait(20)
        while select.select([self._leader], [], [], 0)[0] and self._read():
            pass
        os.close(self._leader)
        return self.process.returncode


@pytest.mark.slow
def test_a_terminal_sees_headed_columns(house):
    house.start_daemon()
    terminal = Terminal(house, "status")
    assert terminal.end() == 0
    lines = terminal.shown.splitlines()
    assert lines[0].split() == ["\x1b[1mdaemon", "pid", "up", "windows\x1b[0m"]
    assert lines[2:4] == ["", next(line for line in lines if "backend" in line)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_watching_is_live_follows_the_daemon_and_leaves_the_terminal_as_it_was(house, number, code):
    terminal = Terminal(house, "status", "--watch")
    terminal.until("no daemon is running")
    daemon = house.start_daemon()
    terminal.until(str(daemon.pid))
    house.double.plays(Play(hangs_after=2))
    asking = house.start("ask", "Hi")
    terminal.until("koala/llama3-local")
    asking.send_signal(signal.SIGINT)
    asking.communicate(timeout=20)
    daemon.kill()
    terminal.shown = ""
    terminal.until("no daemon is running")
    terminal.process.send_signal(number)
    assert terminal.end() == code
    assert "\x1b[?1049l" in terminal.shown
    assert "\x1b[?25h" in terminal.shown
    assert "Traceback" not in terminal.shown
