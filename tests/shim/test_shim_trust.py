"""A client says nothing to a socket that may not be its own user's daemon."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from spadework.shim import client, key_names
from spadework.shim.rendezvous import MCP, check_peer, check_place, endpoint
from spadework.util.paths import user_config_file

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
# Binds as root, listens as somebody else: the system reports who listens.
IMPOSTOR = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
listening.listen(4)
print("ready", flush=True)
listening.settimeout(60)
connection = listening.accept()[0]
connection.settimeout(30)
print("heard", connection.recv(100000), flush=True)
"""


@pytest.fixture
def place(window):
    return endpoint()


@pytest.fixture
def listening(place):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(place.socket)
        one.listen(4)
        yield one


@as_root
def test_a_process_of_another_user_in_the_daemons_place_hears_nothing(place, start_shim):
    command = ["/usr/bin/python3", "-I", "-c", IMPOSTOR, place.socket]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as impostor:
        assert impostor.stdout.readline() == "ready\n"
        shim = start_shim(MY_KEY="secret")
        assert shim.wait(60) == 1
        assert f"runs as user {NOBODY}" in shim.stderr.read().decode()
        assert impostor.stdout.readline() == "heard b''\n"


@as_root
def test_the_command_line_says_nothing_to_another_users_process_either(place, window):
    command = ["/usr/bin/python3", "-I", "-c", IMPOSTOR, place.socket]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as impostor:
        assert impostor.stdout.readline() == "ready\n"
        done = subprocess.run(
            [sys.executable, "-m", "spadework", "status"],
            cwd=window, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode != 0
        assert "no daemon is used here" in done.stderr
        assert "Traceback" not in done.stderr
        assert impostor.stdout.readline() == "heard b''\n"


@as_root
@pytest.mark.usefixtures("listening")
def test_a_socket_of_another_user_is_not_used(place):
    os.chown(place.socket, NOBODY, NOBODY)
    with pytest.raises(client.DaemonUnavailable, match=f"belongs to user {NOBODY}"):
        client.connect_to_daemon(place, MCP)


@as_root
@pytest.mark.usefixtures("listening")
def test_a_folder_that_is_given_away_meanwhile_is_not_used(place):
    os.chown(place.folder, NOBODY, NOBODY)
    with pytest.raises(client.DaemonUnavailable, match="belongs to user"):
        client.connect_to_daemon(place, MCP)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_used(place, mode):
    Path(place.folder).chmod(mode)
    with pytest.raises(client.DaemonUnavailable, match="others may write"):
        client.connect_to_daemon(place, MCP)


@pytest.mark.usefixtures("listening")
def test_a_link_in_place_of_the_folder_or_the_socket_is_not_used(place, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    Path(place.socket).rename(elsewhere)
    Path(place.socket).symlink_to(elsewhere)
    with pytest.raises(client.DaemonUnavailable, match="neither a socket nor a file"):
        client.connect_to_daemon(place, MCP)
    Path(place.folder).rename(tmp_path / "folder")
    Path(place.folder).symlink_to(tmp_path / "folder")
    with pytest.raises(client.DaemonUnavailable, match="is not a folder"):
        client.connect_to_daemon(place, MCP)


def test_our_own_place_and_process_are_trusted(place, listening):
    check_place(place.folder, place.socket)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(place.socket)
        check_peer(connection)
    one, other = socket.socketpair()
    with one, other:
        check_peer(one)


def test_where_nothing_is_there_is_no_daemon(place):
    assert client.connect_to_daemon(place, MCP) is None
    with pytest.raises(FileNotFoundError):
        check_place(place.folder, place.socket)


def test_the_shim_looks_for_the_config_where_the_daemon_does(window, monkeypatch):
    for name, value in (
        ("SPADEWORK_CONFIG", "~/x.toml"),
        ("XDG_CONFIG_HOME", "/xdg"),
        ("HOME", "/h"),
    ):
        monkeypatch.setenv(name, value)
        assert key_names.config_path() == str(user_config_file())
        monkeypatch.delenv(name)
