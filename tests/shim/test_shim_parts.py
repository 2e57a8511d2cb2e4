"""What the shim is made of: its imports, where it looks, what it hands to a daemon."""

import json
import os
import subprocess
import sys

import pytest

from spadework.config.secret_masking import SUBSCRIPTION_PREFIX
from spadework.mcp import jsonrpc
from spadework.shim import client, file_lock, line_buffer, rendezvous
from spadework.shim.launcher import kept_environment
from spadework.shim.rendezvous import NoEndpoint, endpoint, is_newer

MOST_MODULES = 32
"""Beyond what Python itself has loaded: what `signal` and `socket` cost, and five of ours."""


def modules_of(daemon, window, **environment):
    """What a shim has imported when the client has gone."""
    program = """
import json, os, sys
before = set(sys.modules)
sys.argv = ["spadework", "mcp"]
from spadework.cli import main
try:
    main()
finally:
    os.write(2, json.dumps(sorted(set(sys.modules) - before)).encode())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        cwd=window,
    ) as shim:
        connection = daemon.greet()
        shim.stdin.close()
        connection.hear()
        connection.close()
        return json.loads(shim.stderr.read())


def test_it_imports_the_standard_library_and_itself(daemon, window):
    names = modules_of(daemon, window)
    foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = {"spadework", "spadework.cli", "spadework.shim"}
    assert {name for name in foreign if not name.startswith("spadework.shim.")} == ours
    assert len(names) <= MOST_MODULES, names


@pytest.mark.parametrize("heavy", ["json", "re", "typing", "pathlib", "subprocess", "asyncio"])
def test_it_reaches_a_daemon_without_what_takes_long_to_import(daemon, window, heavy):
    assert heavy not in modules_of(daemon, window)


def test_a_lock_is_held_by_one(tmp_path):
    first = file_lock.try_lock(str(tmp_path / "lock"))
    assert first is not None
    assert file_lock.try_lock(str(tmp_path / "lock")) is None
    os.close(first)
    second = file_lock.try_lock(str(tmp_path / "lock"))
    assert second is not None
    os.close(second)


def test_what_two_floors_must_agree_on_is_the_same():
    assert client.SUBSCRIPTION_PREFIX == SUBSCRIPTION_PREFIX
    assert rendezvous.CONTROL == jsonrpc.CONTROL
    assert line_buffer.LONGEST_LINE == jsonrpc.LONGEST_LINE


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("0.2.0", "0.1.0"),
        ("0.10.0", "0.9.9"),
        ("1.0", "0.99"),
        ("1.0", "1.0rc1"),
        ("1.0.1rc1", "1.0"),
        ("0.1.1", "0.1"),
        ("1", ""),
    ],
)
def test_versions_are_ordered(newer, older):
    assert is_newer(newer, older)
    assert not is_newer(older, newer)
    assert not is_newer(newer, newer)


def test_each_config_data_folder_and_home_has_a_place_of_its_own(runtime_folder, monkeypatch):
    for name in ("SPADEWORK_CONFIG", "SPADEWORK_DATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/one")
    places = [endpoint(), endpoint("/a"), endpoint("/b"), endpoint("", "/a")]
    monkeypatch.setenv("HOME", "/home/two")
    places.append(endpoint())
    assert len({place.socket for place in places}) == len(places)
    assert endpoint("~/x").socket == endpoint("/home/two/x").socket
    assert {place.folder for place in places} == {f"{runtime_folder}/spadework"}
    assert (runtime_folder / "spadework").stat().st_mode & 0o777 == 0o700


def test_however_the_environment_spells_it_one_config_is_one_place(monkeypatch, runtime_folder):
    """A shell that sets the platform's own defaults had a daemon of its own."""
    for name in ("SPADEWORK_CONFIG", "SPADEWORK_DATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/one")
    plain = endpoint().socket
    assert endpoint("/home/one/.config/spadework/config.toml").socket == plain
    assert endpoint("~/.config/../.config/spadework/config.toml").socket == plain
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/one/.config/")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/one/.local/share")
    monkeypatch.setenv("HOME", "/home/one/")
    assert endpoint().socket == plain


def test_a_folder_of_somebody_else_is_no_place(runtime_folder):
    (runtime_folder / "elsewhere").mkdir()
    (runtime_folder / "spadework").symlink_to(runtime_folder / "elsewhere")
    with pytest.raises(NoEndpoint, match="is no folder of yours"):
        endpoint()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_no_place(runtime_folder):
    (runtime_folder / "spadework").mkdir(mode=0o700)
    os.chown(runtime_folder / "spadework", 65534, 65534)
    with pytest.raises(NoEndpoint, match="is no folder of yours"):
        endpoint()


def test_a_folder_that_others_may_enter_is_closed_to_them(runtime_folder):
    (runtime_folder / "spadework").mkdir(mode=0o755)
    endpoint()
    assert (runtime_folder / "spadework").stat().st_mode & 0o777 == 0o700


def test_a_daemon_gets_what_it_needs_of_the_environment_and_no_keys():
    kept = {
        "HOME": "/h",
        "PATH": "/bin",
        "LC_ALL": "C",
        "XDG_RUNTIME_DIR": "/run/x",
        "https_proxy": "http://p",
        "HTTPS_PROXY": "http://p",
        "CUDA_VISIBLE_DEVICES": "0",
        "HF_HOME": "/hf",
        "SPADEWORK_CONFIG": "/c",
    }
    dropped = {
        "LITELLM_KEY": "secret",
        "ANTHROPIC_API_KEY": "secret",
        "HF_TOKEN": "secret",
        "PYTHON_KEYRING_PASSWORD": "secret",
        "CLAUDECODE": "1",
        "CLAUDE_PROJECT_DIR": "/p",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LC_GITHUB_TOKEN": "secret",
        "LC_PAT": "secret",
        "XDG_API_KEY": "secret",
        "PYTHONSTARTUP": "/p/start.py",
        "MY_PROXY": "http://user:secret@p",
        "CUDA_LICENSE_KEY_FILE": "secret",
        "COVERAGE_API_TOKEN_2": "secret",
        "SSH_AUTH_SOCK": "/s",
        "SPADEWORK_ANYTHING": "secret",
    }
    assert kept_environment(kept | dropped) == kept


def test_paths_that_are_relative_to_the_window_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = kept_environment({"SPADEWORK_CONFIG": "c.toml", "SPADEWORK_DATA": ""})
    assert environment == {"SPADEWORK_CONFIG": f"{tmp_path}/c.toml", "SPADEWORK_DATA": ""}
