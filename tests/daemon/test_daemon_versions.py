"""A newer shim and an older daemon: they work together until that can be replaced."""

import threading

import pytest

from doubles.plays import Play
from embedded.waiting import is_gone, wait_until
from spadework.daemon import control

pytestmark = pytest.mark.slow

OLD = {"SPADEWORK_TEST_VERSION": "98.0"}
NEW = {"SPADEWORK_TEST_VERSION": "99.0rc1"}


def versions_seen():
    told = control.describe()
    return told and told["version"]


def test_an_idle_older_daemon_is_replaced_by_a_newer_shim(window, daemon_pid, log_text):
    old = window(**OLD)
    assert old.call() == "Three lines."
    first = daemon_pid()
    assert versions_seen() == "98.0"
    new = window(**NEW)
    wait_until(lambda: versions_seen() == "99.0rc1")
    wait_until(lambda: is_gone(first))
    assert new.call() == "Three lines."
    assert old.call() == "Three lines."
    assert log_text().count("listens on") == 2
    assert old.leave() == (0, "")
    assert new.leave() == (0, "")


def test_a_busy_older_daemon_serves_both_until_its_calls_are_answered(
    window, openai_double, rows, daemon_pid
):
    old = window(**OLD)
    openai_double.plays(
        Play(reply="a b c d e f", pause=0.5, prompt_tokens=120),
        Play(reply="Three lines.", prompt_tokens=120),
    )
    identity = old.send_call()
    wait_until(lambda: openai_double.chats)
    first = daemon_pid()
    new = window(**NEW)
    assert new.call() == "Three lines."
    told = control.describe()
    assert (told["pid"], told["superseded"]) == (first, True)
    assert old.answer(identity)["result"]["content"][0]["text"] == "a b c d e f"
    wait_until(lambda: versions_seen() == "99.0rc1")
    assert new.call() == old.call() == "Three lines."
    assert [row.outcome for row in rows(4)] == ["answered"] * 4


def test_calls_that_are_made_while_the_daemon_moves_are_not_lost(window, openai_double, rows):
    old = window(**OLD)
    new = window(**NEW)
    answers = [one.call() for _ in range(20) for one in (old, new)]
    assert set(answers) == {"Three lines."}
    wait_until(lambda: versions_seen() == "99.0rc1")
    assert [row.outcome for row in rows(40)] == ["answered"] * 40


def test_an_older_shim_works_with_a_newer_daemon(window, daemon_pid):
    window(**NEW)
    first = daemon_pid()
    old = window(**OLD)
    assert old.call() == "Three lines."
    assert daemon_pid() == first
    assert control.describe()["superseded"] is False


def test_a_daemon_that_is_asked_for_its_status_all_the_time_is_replaced(window):
    """Who polls asks so often that some question is always under way."""
    over = threading.Event()

    def poll():
        while not over.is_set():
            control.describe()

    old = window(**OLD)
    assert old.call() == "Three lines."
    threads = [threading.Thread(target=poll) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        new = window(**NEW)
        wait_until(lambda: versions_seen() == "99.0rc1")
        assert new.call() == "Three lines."
    finally:
        over.set()
        for thread in threads:
            thread.join()
