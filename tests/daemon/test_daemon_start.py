"""From a cold machine to one daemon, whatever lies in the way."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from windows import INITIALIZE, kill

from embedded.waiting import is_gone, wait_until
from spadework.daemon import control
from spadework.daemon.instance_lock import holder
from spadework.shim.client import connect_to_daemon
from spadework.shim.rendezvous import CALL, endpoint

pytestmark = pytest.mark.slow

LISTENS = "listens on"
ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.mark.timeout(170)
def test_fifty_shims_on_a_cold_machine_make_one_daemon(window, log_text):
    windows = [window(opens=False) for _ in range(50)]
    greetings = [one.send("initialize", **INITIALIZE) for one in windows]
    for one, identity in zip(windows, greetings, strict=True):
        assert "result" in one.answer(identity)
    connections = control.describe()["connections"]
    assert len([one for one in connections if one["role"] == "mcp"]) == 50
    assert log_text().count(LISTENS) == 1
    assert windows[7].call() == "Three lines."


def test_what_a_killed_daemon_leaves_behind_stands_in_nobodys_way(window, daemon_pid, log_text):
    one = window()
    kill(daemon_pid())
    place = endpoint()
    assert Path(place.socket).is_socket()
    assert Path(place.life_lock).read_text().strip()
    one.end()
    assert window().call() == "Three lines."
    assert log_text().count(LISTENS) == 2


def test_a_window_that_is_killed_while_it_starts_the_daemon_holds_nobody_up(window, config_file):
    place = endpoint()
    code = "import sys, time; from spadework.shim.file_lock import try_lock; "
    code += f"lock = try_lock({place.start_lock!r}); print(lock, flush=True); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as winner:
        assert winner.stdout.readline() != b"None\n"
        one = window(opens=False)
        identity = one.send("initialize", **INITIALIZE)
        assert control.describe() is None
        winner.kill()
    assert "result" in one.answer(identity)


@pytest.mark.parametrize("lying_about", ["socket", "life_lock", "start_lock"])
def test_a_file_in_the_way_is_no_hindrance(window, config_file, lying_about):
    Path(getattr(endpoint(), lying_about)).write_text("something else\n")
    assert window().call() == "Three lines."


def test_a_wrong_config_is_told_to_every_window(window, config_file):
    config_file.write_text('[tools.x]\nuse_for = "x"\nmax_tokenz = 1\n')
    windows = [window(opens=False) for _ in range(3)]
    for one in windows:
        code, said = one.leave()
        assert code == 2
        assert said.startswith("error: ")
        assert "max_tokenz" in said
        assert "\nhint: " in said
        assert "Traceback" not in said
    wait_until(lambda: holder(endpoint()) is None)
    config_file.write_text("")
    assert "result" in window(opens=False).ask("initialize", **INITIALIZE)


def test_folders_that_are_relative_to_the_window_are_the_daemons_too(
    window, config_file, project, runtime_folder, monkeypatch
):
    """The daemon, which starts in `/`, took them for others and was never found."""
    for name in ("SPADEWORK_CONFIG", "SPADEWORK_DATA"):
        monkeypatch.delenv(name)
    (project / "etc" / "spadework").mkdir(parents=True)
    (project / "etc" / "spadework" / "config.toml").write_text(config_file.read_text())
    one = window(XDG_CONFIG_HOME="etc", XDG_DATA_HOME="share", HOME="home")
    assert one.call() == "Three lines."
    assert one.leave() == (0, "")
    assert (project / "share" / "spadework" / "daemon.log").exists()


def test_a_relative_runtime_folder_is_none(window, project, runtime_folder, spadework):
    """The XDG specification wants it ignored."""
    (project / "run").mkdir()
    environment = {"XDG_RUNTIME_DIR": "run", "TMPDIR": str(runtime_folder)}
    one = window(**environment)
    try:
        assert one.call() == "Three lines."
        assert one.leave() == (0, "")
        assert not list((project / "run").iterdir())
    finally:
        stopped = spadework("daemon", "stop", env=os.environ | environment)
    assert stopped.stdout.startswith("stopped: process "), stopped.stderr


def test_more_windows_than_a_process_may_open_files_at_first(window):
    """macOS begins with 256: later windows were not let in, and calls failed."""
    program = f'ulimit -S -n 40; exec "{sys.executable}" -m spadework mcp'
    first = window(command=["sh", "-c", program])
    visitors = [connect_to_daemon(endpoint(), CALL).socket for _ in range(40)]
    assert first.call() == "Three lines."
    for visitor in visitors:
        visitor.close()


def test_without_a_place_to_meet_the_window_does_the_work_by_itself(window, runtime_folder):
    (runtime_folder / "spadework").write_text("no folder\n")
    one = window()
    assert one.call() == "Three lines."
    code, said = one.leave()
    assert code == 0
    assert said.startswith("spadework: no daemon (")
    assert said.count("\n") == 1


@ONLY_ROOT
def test_another_users_folder_is_not_entered(window, runtime_folder):
    (runtime_folder / "spadework").mkdir(mode=0o700)
    os.chown(runtime_folder / "spadework", 65534, 65534)
    one = window()
    assert one.call() == "Three lines."
    assert "is no folder of yours" in one.leave()[1]


def test_a_daemon_that_finds_no_room_leaves_the_work_to_the_window(window, project):
    """A limit of no bytes for each file is what a full disk looks like."""
    program = f'ulimit -f 0; exec "{sys.executable}" -m spadework mcp'
    one = window(command=["sh", "-c", program])
    assert one.call() == "Three lines."
    _, said = one.leave()
    assert said.startswith("spadework: no daemon (the daemon cannot start: ")


def test_a_full_disk_for_the_ledger_costs_no_answer(window, config_file, log_text):
    config_file.write_text('[ledger]\npath = "/dev/full"\n' + config_file.read_text())
    one = window()
    assert one.call() == "Three lines."
    assert one.call() == "Three lines."
    assert "not recorded: the ledger /dev/full cannot be used" in log_text()


def test_without_a_data_folder_there_is_no_log_and_the_work_goes_on(window, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", "/proc/nowhere")
    one = window(CLAUDE_PROJECT_DIR="/")
    assert one.call() == "Three lines."
    assert control.describe()["log"] == ""


def test_a_second_daemon_ends_with_a_line(window, daemon_pid, spadework):
    window()
    second = spadework("daemon", "run")
    assert second.returncode == 1
    assert second.stderr.startswith(
        f"error: a daemon runs already (process {daemon_pid()})\nhint: "
    )


def test_a_daemon_that_hangs_is_named_and_can_be_ended(window, daemon_pid, spadework):
    """To a new window, and to an open one whose call would have waited for ever."""
    one = window()
    waiting = window()
    pid = daemon_pid()
    os.kill(pid, signal.SIGSTOP)
    place = endpoint()
    made = Path(place.socket).stat().st_mtime_ns
    os.utime(place.socket, ns=(made, made - 60 * 10**9))
    call = waiting.send_call()
    code, said = window(opens=False).leave()
    assert code == 1
    assert said == (
        f"error: the daemon at {place.socket} does not answer\n"
        "hint: `spadework daemon stop` ends it; the next window starts a new one\n"
    )
    told = waiting.answer(call)["error"]["message"]
    assert told.startswith("the Spadework daemon hangs")
    assert "`spadework daemon stop` ends it" in told
    told = waiting.answer(waiting.send_call())["error"]["message"]
    assert told.startswith(f"the daemon at {place.socket} does not answer; `spadework daemon stop`")
    os.utime(place.socket, ns=(made, made))  # by which it knows its own
    os.kill(pid, signal.SIGCONT)
    assert waiting.call() == "Three lines."
    assert daemon_pid() == pid
    os.kill(pid, signal.SIGSTOP)
    stopped = spadework("daemon", "stop")
    assert stopped.stdout == f"stopped: process {pid}\n", stopped.stderr
    wait_until(lambda: is_gone(pid))
    assert one.call() == "Three lines."
    assert waiting.call() == "Three lines."


def test_visitors_that_talk_nonsense_are_sent_away(window, config_file):
    one = window()
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b'{"spadework": 99}\n', b"\xff" * 70_000):
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(20)
            visitor.connect(endpoint().socket)
            visitor.sendall(said)
            visitor.shutdown(socket.SHUT_WR)
            answer = visitor.recv(10_000)
        assert answer == b"" or "error" in json.loads(answer)
    assert one.call() == "Three lines."


@ONLY_ROOT
def test_another_user_is_sent_away(window, runtime_folder):
    window()
    place = endpoint()
    for path, mode in ((runtime_folder, 0o755), (place.folder, 0o755), (place.socket, 0o666)):
        Path(path).chmod(mode)
    code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
    code += "print(s.recv(1000).decode())"
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", code, place.socket],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this daemon belongs to another user" in done.stdout


def test_the_socket_is_the_users_alone(window):
    window()
    place = endpoint()
    assert Path(place.folder).stat().st_mode & 0o777 == 0o700
    assert Path(place.socket).stat().st_mode & 0o777 == 0o600
