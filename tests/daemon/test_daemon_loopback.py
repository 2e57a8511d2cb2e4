"""The daemon over loopback TCP, as on systems without unix sockets: anybody may call, or listen."""

import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from windows import kill

from embedded.waiting import is_gone, wait_until
from spadework.daemon import control
from spadework.daemon.instance_lock import holder
from spadework.shim.client import connect_to_daemon
from spadework.shim.file_lock import try_lock
from spadework.shim.rendezvous import CALL, endpoint

pytestmark = pytest.mark.slow

KEY = "sk-secret-of-this-window"
GREETING = {"spadework": 1, "version": "0.1.0", "pid": 1, "wants": ["KOALA_KEY"]}


@pytest.fixture(autouse=True)
def _tcp(monkeypatch):
    monkeypatch.setenv("SPADEWORK_TRANSPORT", "tcp")


@pytest.fixture
def keyed(config_file, openai_double):
    openai_double.key = KEY
    config_file.write_text(
        config_file.read_text().replace("[tools", 'api_key_env = "KOALA_KEY"\n\n[tools', 1)
    )


def port_and_token():
    port, token = Path(endpoint().port_file).read_text().split()
    return int(port), token


class Stranger:
    """Somebody who listens on a port, and says the same to every line."""

    def __init__(self, port, says):
        self.heard = []
        self._says = json.dumps(says).encode() + b"\n"
        self._listening = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self):
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = self._listening.accept()
                with connection, connection.makefile("rb") as lines:
                    connection.settimeout(20)
                    with suppress(OSError):
                        for line in lines:
                            self.heard.append(line.decode())
                            connection.sendall(self._says)

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes who waits for the next one
        self._listening.close()
        self._thread.join()


@contextmanager
def stranger(port, says):
    listening = Stranger(port, says)
    try:
        yield listening
    finally:
        listening.close()


def test_windows_find_the_daemon_by_its_port_file(window, log_text):
    assert window().call() == window().call() == "Three lines."
    place = endpoint()
    assert not Path(place.socket).exists()
    assert Path(place.port_file).stat().st_mode & 0o777 == 0o600
    assert log_text().count("listens on") == 1
    _, token = port_and_token()
    assert token not in log_text()
    assert token not in json.dumps(control.describe())


def test_a_window_hands_its_key_to_a_daemon_that_has_proved_itself(keyed, window):
    assert window(KOALA_KEY=KEY).call() == "Three lines."


def test_nothing_is_said_to_who_took_the_port_of_a_killed_daemon(keyed, window, daemon_pid):
    one = window(KOALA_KEY=KEY)
    port, _ = port_and_token()
    kill(daemon_pid())
    one.end()
    with stranger(port, GREETING) as listening:
        assert window(KOALA_KEY=KEY).call() == "Three lines."
    assert listening.heard == []


@pytest.mark.parametrize(
    "says", [GREETING, {"nonce": "00", "proof": "00"} | GREETING, {"nonce": 0, "proof": None}, []]
)
def test_who_does_not_prove_to_be_the_daemon_hears_neither_token_nor_key(
    keyed, window, daemon_pid, says
):
    """As while a new daemon, which has the lock, has not yet written its port file."""
    one = window(KOALA_KEY=KEY)
    port, token = port_and_token()
    kill(daemon_pid())
    one.end()
    lock = try_lock(endpoint().life_lock)
    try:
        with stranger(port, says) as listening:
            code, said = window(opens=False, KOALA_KEY=KEY).leave()
    finally:
        os.close(lock)
    assert code == 1
    assert "what answers at the daemon's port does not know its token" in said
    assert [list(json.loads(line)) for line in listening.heard] == [["nonce"]]
    assert token not in str(listening.heard)


def test_who_does_not_know_the_token_is_sent_away_and_told_nothing(keyed, window):
    window(KOALA_KEY=KEY)
    port, token = port_and_token()
    hello = {"spadework": 1, "role": "mcp", "token": token, "proof": "00"}
    for first in (hello, {"nonce": "00"}, {"nonce": "\ud800"}):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as visitor,
            visitor.makefile("rb") as lines,
        ):
            visitor.sendall(json.dumps(first).encode() + b"\n")
            told = [json.loads(lines.readline())]
            if "nonce" in told[0]:
                visitor.sendall(json.dumps(hello).encode() + b"\n")
                told.append(json.loads(lines.readline()))
            assert lines.read() == b""
        assert "does not prove that it knows the token" in told[-1]["error"]
        assert "KOALA_KEY" not in str(told)
    assert window(KOALA_KEY=KEY).call() == "Three lines."


def test_a_config_that_is_wrong_is_told_over_tcp_too(window, config_file):
    config_file.write_text("[tools.x]\nuse_fro = 1\n")
    code, said = window(opens=False).leave()
    assert code == 2
    assert "tools.x.use_for: is missing" in said


def test_what_a_killed_daemon_leaves_behind_stands_in_nobodys_way(window, daemon_pid):
    one = window()
    kill(daemon_pid())
    one.end()
    assert window().call() == "Three lines."


def test_it_is_stopped(window, daemon_pid, spadework):
    window()
    pid = daemon_pid()
    assert spadework("daemon", "stop").stdout == f"stopped: process {pid}\n"
    place = endpoint()
    assert not Path(place.port_file).exists()
    assert holder(place) is None
    assert connect_to_daemon(place, CALL) is None
    wait_until(lambda: is_gone(pid))
