"""The keys of each window reach the daemon's memory, and nothing else."""

import json
from pathlib import Path

import pytest

from embedded.waiting import wait_until
from spadework.daemon import control

pytestmark = pytest.mark.slow

SECRETS = {"one": "sk-secret-of-window-one", "two": "sk-secret-of-window-two"}


@pytest.fixture
def keyed(config_file):
    config_file.write_text(
        config_file.read_text().replace("[tools", 'api_key_env = "KOALA_KEY"\n\n[tools', 1)
    )


def keys_used(openai_double):
    return [chat.headers.get("authorization") for chat in openai_double.chats]


def test_each_window_uses_its_own_key(keyed, window, openai_double):
    one, two = (window(KOALA_KEY=SECRETS[name]) for name in ("one", "two"))
    for each in (one, two, one):
        assert each.call() == "Three lines."
    order = ("one", "two", "one")
    assert keys_used(openai_double) == [f"Bearer {SECRETS[name]}" for name in order]


def test_the_list_of_models_is_asked_for_with_the_windows_key(keyed, window, openai_double):
    openai_double.key = SECRETS["one"]
    answer = window(KOALA_KEY=SECRETS["one"]).ask(
        "tools/call", name="list_available_local_models", arguments={}
    )
    assert "koala/llama3-local" in answer["result"]["content"][0]["text"]
    answer = window().ask("tools/call", name="list_available_local_models", arguments={})
    assert "KOALA_KEY" in answer["result"]["content"][0]["text"]


def test_a_key_is_nowhere_but_in_memory(
    keyed, window, daemon_pid, openai_double, config_file, log_text, rows
):
    one, two = (window(KOALA_KEY=SECRETS[name]) for name in ("one", "two"))
    one.call()
    openai_double.plays(status=401, body='{"error": {"message": "no"}}')
    two.call()
    places = {
        "environment": Path(f"/proc/{daemon_pid()}/environ").read_text(),
        "command": Path(f"/proc/{daemon_pid()}/cmdline").read_text(),
        "status": json.dumps(control.describe()),
        "log": log_text(),
        "rows": repr(rows(2)),
    }
    for file in (config_file.parent / "data").rglob("*"):
        if file.is_file():
            places[str(file)] = file.read_bytes().decode(errors="replace")
    for name, content in places.items():
        for secret in SECRETS.values():
            assert secret not in content, name
    assert len(rows(2)) == 2


def test_the_daemons_environment_holds_nothing_that_it_does_not_need(keyed, window, daemon_pid):
    secrets = {
        "ANTHROPIC_API_KEY": "planted-1",
        "AWS_SECRET_ACCESS_KEY": "planted-2",
        "KOALA_KEY": "planted-3",
        "LC_GITHUB_TOKEN": "planted-4",
        "SOME_OTHER_VARIABLE": "planted-5",
    }
    assert window(**secrets).call() == "Three lines."
    environment = Path(f"/proc/{daemon_pid()}/environ").read_text()
    assert "planted" not in environment
    assert "PATH=" in environment


def test_a_window_without_the_key_is_told_which_one_is_missing(keyed, window, openai_double):
    window(KOALA_KEY=SECRETS["one"])
    openai_double.plays(status=401, body='{"error": {"message": "no"}}')
    assert "KOALA_KEY" in window().call()


def test_a_changed_config_asks_for_its_new_keys(window, config_file, openai_double):
    one = window(KOALA_KEY=SECRETS["one"])
    assert one.call() == "Three lines."
    config_file.write_text(
        config_file.read_text().replace("[tools", 'api_key_env = "KOALA_KEY"\n\n[tools', 1)
    )

    def used():
        one.call()
        return keys_used(openai_double)[-1] == f"Bearer {SECRETS['one']}"

    wait_until(used)


@pytest.mark.parametrize("no_key", ["two words", "schlüssel"])
def test_what_is_no_key_is_not_used_and_named_without_its_content(
    keyed, window, log_text, openai_double, no_key
):
    one = window(KOALA_KEY=no_key)
    one.call()
    assert no_key not in str(keys_used(openai_double))
    assert "no usable key is in KOALA_KEY" in log_text()
    assert no_key not in log_text()
