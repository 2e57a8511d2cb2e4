"""When a daemon ends by itself, and when it does not."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from windows import COMMAND

from embedded.waiting import is_gone, wait_until
from spadework.daemon import control
from spadework.shim.rendezvous import endpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def soon_idle(config_file):
    config_file.write_text("[daemon]\nidle_stop = 0.2\n" + config_file.read_text())


def test_it_ends_when_the_last_window_has_left(soon_idle, window, daemon_pid, log_text):
    one = window()
    pid = daemon_pid()
    assert one.leave() == (0, "")
    wait_until(lambda: is_gone(pid))
    assert "no connections for 0.2 s" in log_text()
    assert not Path(endpoint().socket).exists()


def test_it_stays_as_long_as_a_window_is_open(soon_idle, window, daemon_pid):
    one = window()
    pid = daemon_pid()
    time.sleep(3)  # not a race: what must not happen would have happened by then
    assert one.call() == "Three lines."
    assert daemon_pid() == pid


def test_it_stays_when_it_is_told_to(soon_idle, config_file):
    with subprocess.Popen([*COMMAND, "daemon", "run", "--stay"], stderr=subprocess.PIPE) as daemon:
        wait_until(lambda: control.describe() is not None)
        time.sleep(3)  # as above
        assert control.describe()["pid"] == daemon.pid
        daemon.send_signal(signal.SIGINT)
        said = daemon.stderr.read().decode()
    assert daemon.returncode == 0
    assert "Traceback" not in said
    assert "stopped" in said


@pytest.mark.parametrize("replaced", [False, True])
def test_it_makes_room_when_its_socket_is_taken_away(window, daemon_pid, log_text, replaced):
    one = window()
    assert one.call() == "Three lines."
    pid = daemon_pid()
    socket = Path(endpoint().socket)
    socket.unlink()
    if replaced:
        socket.write_text("")
    other = window()
    assert other.call() == "Three lines."
    wait_until(lambda: is_gone(pid))
    assert one.call() == "Three lines."
    assert daemon_pid() != pid
    assert one.leave() == (0, "")
    # The old one's end must not take the new one's socket away, whose inode may be the same.
    assert log_text().count("listens on") == 2


def test_a_daemon_outlives_the_window_that_started_it_and_is_no_child_of_it(window, daemon_pid):
    one = window()
    pid = daemon_pid()
    assert os.getpgid(pid) != os.getpgid(one.process.pid)
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(status[1]) != one.process.pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    one.end()
    assert daemon_pid() == pid
