"""The shim as a process: what it passes on, and what it does when either side goes away."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

pytestmark = pytest.mark.slow  # it starts a process for each test

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "ask"}}
ANSWER = {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


def say(shim, *messages):
    shim.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in messages))
    shim.stdin.flush()


def heard(shim):
    return json.loads(shim.stdout.readline())


def begin(daemon, shim):
    """Open a session of the older revision."""
    connection = daemon.greet()
    say(shim, INITIALIZE)
    assert connection.hear() == INITIALIZE
    connection.say({"jsonrpc": "2.0", "id": 0, "result": {"server": 1}})
    assert heard(shim)["result"] == {"server": 1}
    say(shim, INITIALIZED)
    assert connection.hear() == INITIALIZED
    return connection


def begin_again(daemon, **options):
    """Take over the session of a daemon that is gone."""
    connection = daemon.greet(**options)
    assert connection.hear() == INITIALIZE
    connection.say({"jsonrpc": "2.0", "id": 0, "result": {"server": 2}})
    assert connection.hear() == INITIALIZED
    return connection


def test_it_says_where_it_was_started(daemon, start_shim, window):
    odd = window / 'odd "näme"'
    shim = start_shim(CLAUDE_PROJECT_DIR=str(odd))
    hello = daemon.greet().hello
    assert hello["project"] == str(odd)
    assert hello["role"] == "mcp"
    assert hello["pid"] == shim.pid


def test_lines_pass_both_ways(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    say(shim, CALL)
    assert connection.hear() == CALL
    connection.say(ANSWER)
    assert heard(shim) == ANSWER


def test_bytes_may_be_cut_anywhere(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    for byte in json.dumps(CALL).encode() + b"\n":
        shim.stdin.write(bytes([byte]))
        shim.stdin.flush()
    assert connection.hear() == CALL
    for byte in json.dumps(ANSWER).encode() + b"\n":
        connection.send(bytes([byte]))
    assert heard(shim) == ANSWER


def test_a_line_that_is_no_message_is_the_daemons_to_answer(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    shim.stdin.write(b"\xff garbage\n")
    shim.stdin.flush()
    assert connection.lines.readline() == b"\xff garbage\n"


def test_a_client_cannot_speak_as_the_shim_does(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    shim.stdin.write(b'\0{"keys": {}}\n')
    shim.stdin.flush()
    assert connection.lines.readline() == b' \0{"keys": {}}\n'


def test_a_line_of_sixty_megabytes_passes(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    line = json.dumps({**CALL, "params": "x" * 60_000_000}).encode() + b"\n"
    writing = threading.Thread(target=lambda: (shim.stdin.write(line), shim.stdin.flush()))
    writing.start()
    assert connection.lines.readline() == line
    writing.join()
    answer = json.dumps({**ANSWER, "result": "y" * 20_000_000}).encode() + b"\n"
    answering = threading.Thread(target=connection.send, args=[answer])
    answering.start()
    assert shim.stdout.readline() == answer
    answering.join()


def test_two_full_pipes_do_not_stop_each_other(daemon, start_shim):
    """Both sides write before either reads: whoever relays must not block on one of them."""
    shim = start_shim()
    connection = daemon.greet()
    line = json.dumps({**CALL, "params": "x" * 700_000}).encode() + b"\n"
    answer = json.dumps({**ANSWER, "result": "y" * 700_000}).encode() + b"\n"
    asking = threading.Thread(target=lambda: (shim.stdin.write(line), shim.stdin.flush()))
    answering = threading.Thread(target=connection.send, args=[answer])
    asking.start()
    answering.start()
    asking.join(20)
    answering.join(20)
    assert not asking.is_alive()
    assert not answering.is_alive()
    assert shim.stdout.readline() == answer
    assert connection.lines.readline() == line


def test_it_ends_when_the_client_closes_its_end_after_passing_on_what_still_comes(
    daemon, start_shim
):
    shim = start_shim()
    connection = daemon.greet()
    say(shim, CALL)
    shim.stdin.close()
    assert connection.hear() == CALL
    assert connection.hear() is None
    connection.say(ANSWER)
    connection.close()
    assert heard(shim) == ANSWER
    assert shim.wait(10) == 0


def test_a_call_that_its_client_left_is_not_blamed_on_the_daemon(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    say(shim, CALL)
    shim.stdin.close()
    assert connection.hear() == CALL
    assert connection.hear() is None
    connection.close()
    assert heard(shim)["error"]["message"].startswith("standard input ended before")
    assert shim.wait(10) == 0


def test_it_ends_though_the_daemon_does_not(daemon, start_shim):
    shim = start_shim()
    daemon.greet()
    shim.stdin.close()
    assert shim.wait(10) == 0


def test_it_ends_when_nobody_reads_its_output_any_more(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    shim.stdout.close()
    assert shim.wait(10) == 0
    assert connection.hear() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_silently(daemon, start_shim, number):
    shim = start_shim()
    begin(daemon, shim)
    shim.send_signal(number)
    assert shim.wait(10) == -number
    assert shim.stderr.read() == b""


def test_sockets_serve_as_standard_input_and_output(daemon, start_shim):
    """So Node starts its children."""
    ours, its = socket.socketpair()
    with ours, its:
        shim = start_shim(stdin=its, stdout=its)
        its.close()
        connection = daemon.greet()
        ours.sendall(json.dumps(CALL).encode() + b"\n")
        assert connection.hear() == CALL
        connection.say({**ANSWER, "result": "y" * 500_000})
        with ours.makefile("rb") as lines:
            assert len(lines.readline()) > 500_000
        ours.close()
        assert shim.wait(10) == 0


def test_a_call_that_waits_fails_at_once_when_the_daemon_dies(daemon, start_shim):
    shim = start_shim()
    connection = begin(daemon, shim)
    say(shim, CALL, {**CALL, "id": "eight"})
    assert connection.hear() == CALL
    assert connection.hear()["id"] == "eight"
    connection.send(b'{"jsonrpc": "2.0", "id": "eight", "result": ')
    connection.close()
    errors = [heard(shim), heard(shim)]
    assert [one["id"] for one in errors] == [7, "eight"]
    assert {one["error"]["code"] for one in errors} == {-32603}
    assert "daemon ended" in errors[0]["error"]["message"]
    assert "\n" not in errors[0]["error"]["message"]


def test_a_daemon_that_lives_may_take_as_long_as_it_likes(daemon, start_shim):
    shim = start_shim()
    connection = begin(daemon, shim)
    say(shim, CALL)
    assert connection.hear() == CALL
    for _ in range(2):
        assert connection.hear() == {"alive": True}
        connection.control({"alive": True})
    connection.say(ANSWER)
    assert heard(shim) == ANSWER


def test_the_next_call_finds_a_new_daemon_and_the_session_goes_on(daemon, start_shim):
    shim = start_shim()
    begin(daemon, shim).close()
    say(shim, CALL)
    connection = begin_again(daemon)
    assert connection.hear() == CALL
    connection.say(ANSWER)
    # Its tools may be others than those that the client has listed.
    assert heard(shim) == CHANGED
    assert heard(shim) == ANSWER


def test_what_the_client_had_half_said_goes_to_the_new_daemon_whole(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    line = json.dumps(CALL).encode() + b"\n"
    shim.stdin.write(line[:20])
    shim.stdin.flush()
    connection.close()
    shim.stdin.write(line[20:])
    shim.stdin.flush()
    assert daemon.greet().hear() == CALL


def test_a_client_that_waits_for_the_greeting_gets_it_from_the_next_daemon(daemon, start_shim):
    shim = start_shim()
    connection = daemon.greet()
    say(shim, INITIALIZE)
    assert connection.hear() == INITIALIZE
    connection.close()
    connection = daemon.greet()
    assert connection.hear() == INITIALIZE
    connection.say({"jsonrpc": "2.0", "id": 0, "result": {"server": 2}})
    assert heard(shim)["result"] == {"server": 2}


def test_who_listens_for_changes_goes_on_listening(daemon, start_shim):
    listen = {
        "jsonrpc": "2.0",
        "id": "listen-1",
        "method": "subscriptions/listen",
        "params": {"notifications": {"toolsListChanged": True}},
    }
    tag = {"_meta": {"io.modelcontextprotocol/subscriptionId": "listen-1"}}
    acknowledged = {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": tag,
    }
    shim = start_shim()
    connection = daemon.greet()
    say(shim, listen)
    assert connection.hear() == listen
    connection.say(acknowledged)
    assert heard(shim) == acknowledged
    connection.close()
    say(shim, CALL)
    connection = daemon.greet()
    assert connection.hear() == listen
    assert connection.hear() == CALL
    connection.say(acknowledged)
    connection.say(ANSWER)
    assert heard(shim) == {**CHANGED, "params": tag}
    assert heard(shim) == ANSWER


def test_an_answer_to_a_daemon_that_is_gone_is_dropped(daemon, start_shim):
    shim = start_shim()
    connection = begin(daemon, shim)
    connection.say({"jsonrpc": "2.0", "id": 1, "method": "roots/list"})
    assert heard(shim)["method"] == "roots/list"
    connection.close()
    say(shim, {"jsonrpc": "2.0", "id": 1, "result": {"roots": []}}, CALL)
    assert begin_again(daemon).hear() == CALL


def test_a_daemon_that_moves_is_left_without_an_error(daemon, start_shim):
    shim = start_shim()
    old = begin(daemon, shim)
    say(shim, CALL)
    assert old.hear() == CALL
    old.control({"moved": True})
    assert old.hear() == {"moved": True}
    # What comes meanwhile is for the next daemon; what was said before is still answered.
    say(shim, {**CALL, "id": 8})
    old.say(ANSWER)
    assert heard(shim) == ANSWER
    old.close()
    connection = begin_again(daemon)
    assert connection.hear()["id"] == 8


def test_a_newer_shim_goes_to_the_next_daemon_by_itself(daemon, start_shim):
    shim = start_shim(SPADEWORK_TEST_VERSION="0.2.0")
    old = begin(daemon, shim)
    old.control({"moved": True})
    assert old.hear() == {"moved": True}
    old.close()
    begin_again(daemon, version="0.2.0")
    assert heard(shim) == CHANGED


def test_a_daemon_that_moves_while_it_takes_the_session_over_is_left_too(daemon, start_shim):
    """It says so before it has answered the handshake: the shim must not miss that."""
    shim = start_shim(SPADEWORK_TEST_VERSION="0.2.0")
    first = begin(daemon, shim)
    first.control({"moved": True})
    assert first.hear() == {"moved": True}
    first.close()
    second = daemon.greet()
    assert second.hear() == INITIALIZE
    second.control({"moved": True})
    second.say({"jsonrpc": "2.0", "id": 0, "result": {"server": 2}})
    assert second.hear() == INITIALIZED
    assert second.hear() == {"moved": True}
    second.close()
    begin_again(daemon, version="0.2.0")
    assert heard(shim) == CHANGED


@pytest.fixture
def keyed(window, monkeypatch):
    """A config that names variables for keys; returns it."""
    config = window / "keyed.toml"
    names = ("MY_KEY", "OTHER_KEY", "MISSING_KEY")
    config.write_text("".join(f'[backends.b{n}]\napi_key_env = "{n}"\n' for n in names))
    monkeypatch.setenv("SPADEWORK_CONFIG", str(config))
    return config


def test_it_hands_over_nothing_that_the_config_does_not_name(daemon_of, keyed, start_shim):
    daemon = daemon_of()
    asked = ["MY_KEY", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "PATH", "HOME", "LATER_KEY"]
    start_shim(MY_KEY="mine", ANTHROPIC_API_KEY="a", AWS_SECRET_ACCESS_KEY="b", LATER_KEY="later")
    connection = daemon.greet(wants=asked)
    assert connection.keys == {"MY_KEY": "mine"}
    connection.control({"wants": asked})
    assert connection.hear() == {"keys": {"MY_KEY": "mine"}}
    keyed.write_text('[backends.x]\napi_key_env = "LATER_KEY"\n')
    connection.control({"wants": asked})
    assert connection.hear() == {"keys": {"LATER_KEY": "later"}}


@pytest.mark.parametrize("text", ["", "[backends", "api_key_env = 'MY_KEY'", "# MY_KEY", None])
def test_a_config_that_names_no_key_or_cannot_be_read_gives_none(
    daemon_of, keyed, start_shim, text
):
    keyed.unlink()
    if text is not None:
        keyed.write_text(text)
    daemon = daemon_of()
    start_shim(MY_KEY="my-secret")
    assert daemon.greet(wants=["MY_KEY"]).keys == {}


@pytest.mark.usefixtures("keyed")
def test_it_tells_the_keys_that_are_wanted_and_no_others(daemon_of, start_shim):
    daemon = daemon_of()
    start_shim(MY_KEY="my-secret", OTHER_KEY="other-secret")
    connection = daemon.greet(wants=["MY_KEY", "MISSING_KEY"])
    assert connection.keys == {"MY_KEY": "my-secret"}
    connection.control({"wants": ["MY_KEY", "OTHER_KEY"]})
    assert connection.hear() == {"keys": {"MY_KEY": "my-secret", "OTHER_KEY": "other-secret"}}


@pytest.mark.usefixtures("keyed")
def test_the_token_of_a_subscription_is_never_sent(daemon_of, start_shim):
    daemon = daemon_of()
    shim = start_shim(MY_KEY="sk-ant-oat01-secret")
    assert daemon.greet(wants=["MY_KEY"]).keys == {}
    said = shim.stderr.readline()
    assert said.startswith(b"MY_KEY holds the token of a Claude subscription")
    assert b"secret" not in said


def test_a_daemon_that_refuses_is_told_in_its_own_words(daemon, start_shim):
    shim = start_shim()
    connection = daemon.accept()
    connection.hear()
    connection.say({"error": "the config is wrong", "hint": "mend it", "exit": 2})
    assert shim.wait(10) == 2
    assert shim.stderr.read() == b"error: the config is wrong\nhint: mend it\n"


def test_more_shims_than_the_daemon_lets_in_at_once_wait_for_their_turn(daemon, start_shim):
    daemon.listening.listen(1)
    shims = [start_shim() for _ in range(8)]
    served = {daemon.greet().hello["pid"] for _ in shims}
    assert served == {shim.pid for shim in shims}


@pytest.mark.usefixtures("keyed")
def test_a_client_that_hears_no_complaints_is_served_all_the_same(daemon_of, start_shim):
    """Standard error is a pipe that nobody reads."""
    daemon = daemon_of()
    shim = start_shim(MY_KEY="sk-ant-oat01-secret")
    shim.stderr.close()
    connection = daemon.greet(wants=["MY_KEY"])
    say(shim, CALL)
    assert connection.hear() == CALL


@pytest.mark.parametrize("said", [b"220 mail.example.com ESMTP\n", b"[]\n", b"{}\n"])
def test_what_is_no_daemon_is_recognized(daemon, start_shim, said):
    shim = start_shim()
    connection = daemon.accept()
    connection.hear()
    connection.send(said)
    assert shim.wait(10) == 1
    assert b"is not a daemon" in shim.stderr.read()


def test_a_daemon_of_another_protocol_is_named(daemon, start_shim):
    shim = start_shim()
    connection = daemon.accept()
    connection.hear()
    connection.say({"spadework": 2, "version": "9.0", "pid": 1, "wants": []})
    assert shim.wait(10) == 1
    assert b"version 9.0, which speaks another protocol" in shim.stderr.read()


@pytest.mark.parametrize("age", [60, 28], ids=["old", "nearly-old"])
def test_a_daemon_that_never_answers_costs_one_line(daemon, start_shim, age):
    """One that was nearly too old to be starting still was given thirty seconds more."""
    then = time.time() - age
    os.utime(daemon.path, (then, then))
    shim = start_shim()
    assert shim.wait(20) == 1
    assert shim.stderr.read().startswith(b"error: the daemon at ")


def test_without_standard_output_there_is_one_line(window):
    command = ["sh", "-c", 'exec "$0" -m spadework mcp >&-', sys.executable]
    done = subprocess.run(command, stderr=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: standard output is closed\n"


def test_a_closed_standard_input_is_the_end(daemon, window):
    command = ["sh", "-c", 'exec "$0" -m spadework mcp <&-', sys.executable]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as shim:
        connection = daemon.greet()
        assert connection.hear() is None
        connection.close()
        assert shim.communicate(timeout=20)[0] == b""
        assert shim.returncode == 0
