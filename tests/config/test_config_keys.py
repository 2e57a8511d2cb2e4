import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.config.api_keys import (
    checked_key,
    key_hint,
    key_warnings,
    resolve_key,
    wanted_names,
    window_keys,
)
from spadework.config.models import BackendConfig, Config
from spadework.config.secret_masking import masked
from spadework.daemon.handshake import Peer
from spadework.errors import ConfigError

KEY = "sk-hunter2hunter2hunter2"
SUBSCRIPTION = "sk-ant-oat01-hunter2hunter2"


def backend(**keys):
    return BackendConfig(kind="litellm", url="http://koala:4000", **keys)


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "koala.key"
    file.write_text(f"  {KEY} \nsecond line\n")
    file.chmod(0o600)
    return file


def test_a_backend_without_a_key_has_none():
    assert resolve_key(backend(), {"LITELLM_API_KEY": KEY}) is None


def test_the_variable_holds_the_key():
    assert resolve_key(backend(api_key_env="K"), {"K": KEY}) == KEY


def test_a_variable_that_is_not_set_gives_no_key():
    assert resolve_key(backend(api_key_env="K"), {}) is None
    assert resolve_key(backend(api_key_env="K"), {"K": " "}) is None


def test_the_first_line_of_the_file_is_the_key(key_file):
    assert resolve_key(backend(api_key_file=str(key_file)), {}) == KEY


def test_the_variable_counts_before_the_file(key_file):
    both = backend(api_key_env="K", api_key_file=str(key_file))
    assert resolve_key(both, {"K": "other"}) == "other"
    assert resolve_key(both, {"K": ""}) == KEY


@pytest.mark.parametrize("content", [b"", b"\n", b"  \nsecond"])
def test_an_empty_key_file_is_an_error(key_file, content):
    key_file.write_bytes(content)
    with pytest.raises(ConfigError, match="is empty"):
        resolve_key(backend(api_key_file=str(key_file)), {})


def test_a_missing_key_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"the key file .*/nope is missing"):
        resolve_key(backend(api_key_file=str(tmp_path / "nope")), {})


def test_a_folder_is_no_key_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve_key(backend(api_key_file=str(tmp_path)), {})


def test_a_key_file_that_is_a_pipe_is_an_error_and_not_waited_for(tmp_path):
    pipe = tmp_path / "koala.key"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(ConfigError, match=r"koala.key cannot be read: it is not a regular file"):
        resolve_key(backend(api_key_file=str(pipe)), {})


@pytest.mark.parametrize(
    "key", ["hunter2\nhunter2", "hunter2 x", "hunter2\x07", "hunter2é", "\x00hunter2"]
)
def test_what_is_no_key_is_refused_without_being_shown(key):
    with pytest.raises(ConfigError, match="the environment variable K holds no key") as caught:
        resolve_key(backend(api_key_env="K"), {"K": key})
    assert "hunter2" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("source", ["variable", "file"])
def test_the_token_of_a_subscription_is_refused_without_being_shown(key_file, source):
    key_file.write_text(SUBSCRIPTION)
    keys = {"api_key_env": "K"} if source == "variable" else {"api_key_file": str(key_file)}
    with pytest.raises(ConfigError, match="the token of a Claude subscription") as caught:
        resolve_key(backend(**keys), {"K": SUBSCRIPTION})
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_key_file_that_others_may_read_is_warned_of_and_still_read(key_file, caplog):
    key_file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert resolve_key(backend(api_key_file=str(key_file)), {}) == KEY
    assert [record.message for record in caplog.records] == [
        f"others may read the key file {key_file}: `chmod 600 {key_file}`"
    ]


def test_a_key_file_of_the_users_own_is_not_warned_of(key_file, caplog):
    with caplog.at_level(logging.DEBUG):
        resolve_key(backend(api_key_file=str(key_file)), {})
    assert not caplog.records


def test_warnings_say_what_stands_between_a_backend_and_its_key(key_file, tmp_path):
    missing = tmp_path / "nope"
    assert key_warnings(backend(), {}) == []
    assert key_warnings(backend(api_key_env="K"), {"K": KEY}) == []
    assert key_warnings(backend(api_key_env="K"), {}) == ["the environment variable K is not set"]
    assert key_warnings(backend(api_key_file=str(key_file)), {}) == []
    [warning] = key_warnings(backend(api_key_file=str(missing)), {})
    assert warning == f"the key file {missing} is missing; write the key into its first line"
    [warning] = key_warnings(backend(api_key_env="K"), {"K": SUBSCRIPTION})
    assert "hunter2" not in warning
    key_file.chmod(0o640)
    [warning] = key_warnings(backend(api_key_file=str(key_file)), {})
    assert warning.startswith("others may read")


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({}, 'name the variable that holds its key: api_key_env = "…" under [backends.koala]'),
        ({"api_key_env": "K"}, "set the environment variable K to the key of 'koala'"),
        ({"api_key_file": "/k"}, "put the key of 'koala' into the first line of /k"),
        (
            {"api_key_env": "K", "api_key_file": "/k"},
            "set the environment variable K, or put the key of 'koala' into /k",
        ),
    ],
)
def test_the_hint_says_what_to_set(keys, hint):
    assert key_hint("koala", backend(**keys)) == hint


def test_the_config_never_holds_the_key(key_file, monkeypatch):
    monkeypatch.setenv("K", KEY)
    both = backend(api_key_env="K", api_key_file=str(key_file))
    resolve_key(both, os.environ)
    assert "hunter2" not in repr(both) + str(both) + both.model_dump_json()


def test_the_names_that_are_wanted_of_a_window_are_those_of_the_backends_each_once():
    named = {"koala": "B_KEY", "iguana": "A_KEY", "gecko": "B_KEY", "newt": None}
    backends = {name: backend(api_key_env=variable) for name, variable in named.items()}
    assert wanted_names(Config(backends=backends)) == ("A_KEY", "B_KEY")
    assert wanted_names(Config()) == ()


def test_of_a_windows_environment_only_the_wanted_keys_are_taken():
    environ = {"A_KEY": f" {KEY}\n", "B_KEY": " ", "C_KEY": "other"}
    peer = Peer({})
    peer.take_keys(environ, ("A_KEY", "B_KEY", "D_KEY"))
    assert peer.keys == {"A_KEY": KEY}


@pytest.mark.parametrize("key", [SUBSCRIPTION, "hunter2 hunter2", "hunter2é"])
def test_a_windows_key_that_can_be_none_is_named_and_not_shown(key):
    with pytest.raises(ConfigError, match="the environment variable A_KEY holds") as caught:
        checked_key(key, "the environment variable A_KEY")
    assert "hunter2" not in str(caught.value) + caught.value.hint
    peer = Peer({})
    peer.take_keys({"A_KEY": key}, ("A_KEY",))
    assert (peer.keys, peer.refused) == ({}, ("A_KEY",))


def test_outside_of_a_window_there_are_no_keys_of_one():
    assert dict(window_keys.get()) == {}


@given(
    st.text(max_size=40),
    st.text("abcdef0123456789_-", min_size=16, max_size=60),
    st.text(max_size=40),
)
def test_a_provider_key_is_masked_wherever_it_stands(before, key, after):
    before = before.rstrip("-_") + " "
    assert f"sk-{key}" not in masked(f"{before}sk-{key} {after}")


@given(st.text("abcdefghijklmnopqrstuvwxyz ./_", max_size=80))
def test_ordinary_words_are_not_masked(text):
    if "sk_" not in text:
        assert masked(text) == text
