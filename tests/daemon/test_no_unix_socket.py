"""Where no unix socket can be made, every process does its work by itself, and says why."""

import os

import pytest

from spadework.daemon import control

pytestmark = pytest.mark.slow

# `socketpair` chooses its family by the constant; asyncio needs the pair, and no daemon does.
NO_UNIX_SOCKETS = """
import functools, socket
socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)
del socket.AF_UNIX
"""
NO_POLL = """
import select
del select.poll
"""
UNBINDABLE = """
import errno, os, socket

class Unbindable(socket.socket):
    def bind(self, address):
        if self.family == socket.AF_UNIX:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        super().bind(address)

socket.socket = Unbindable
"""


@pytest.fixture
def changed_system(tmp_path):
    """The environment of processes that run a program before their own."""

    def change(program):
        folder = tmp_path / "changed"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(program)
        return {"PYTHONPATH": str(folder)}

    return change


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (NO_UNIX_SOCKETS, "this system has no unix sockets"),
        (NO_POLL, "this system cannot wait for pipes and sockets at once"),
        (UNBINDABLE, "the daemon cannot start: the daemon cannot listen: "),
    ],
    ids=["no unix sockets", "no poll", "a socket that cannot be bound"],
)
def test_a_window_without_a_daemon_does_the_work_by_itself(
    window, changed_system, program, reason, log_text
):
    one = window(**changed_system(program))
    assert one.call() == "Three lines."
    code, said = one.leave()
    assert code == 0
    assert said.startswith(f"spadework: no daemon ({reason}")
    assert said.count("\n") == 1
    assert log_text() == ""
    assert control.describe() is None


def test_a_socket_that_cannot_be_bound_is_named(spadework, changed_system, runtime_folder):
    environment = os.environ | changed_system(UNBINDABLE)
    done = spadework("daemon", "run", env=environment)
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"error: the daemon cannot listen: {runtime_folder}/spadework/")
    assert error.endswith(": Operation not supported")
    assert hint == "hint: free the disk, or set XDG_RUNTIME_DIR to a folder of yours"


def test_without_unix_sockets_commands_need_no_daemon(spadework, changed_system):
    environment = os.environ | changed_system(NO_UNIX_SOCKETS)
    done = spadework("ask", "Hi", env=environment)
    assert (done.returncode, done.stdout) == (0, "Three lines.\n")
    assert done.stderr.startswith("note: working without the daemon: this system has no unix socke")


@pytest.mark.parametrize(
    "arguments", [("daemon", "run"), ("daemon", "start"), ("status",), ("serve", "--http", ":0")]
)
def test_what_needs_a_daemon_says_that_none_can_run(spadework, changed_system, arguments):
    done = spadework(*arguments, env=os.environ | changed_system(NO_UNIX_SOCKETS))
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert error.endswith("this system has no unix sockets")
    assert hint == "hint: `--in-process` needs no daemon"
