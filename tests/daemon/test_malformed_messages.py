"""Whatever a connection says, it gets one clear line, and the daemon goes on."""

import itertools
import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spadework.shim.rendezvous import PROTOCOL, endpoint

pytestmark = pytest.mark.slow

GREETING = {"spadework": PROTOCOL, "version": "0.1.0", "role": "mcp", "project": "/", "pid": 1}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def daemon(spadework, daemon_pid, log_text):
    """A daemon that runs; at the end it is the same one, and its log has no traceback."""
    assert spadework("daemon", "start").returncode == 0
    pid = daemon_pid()
    yield endpoint().socket
    assert daemon_pid() == pid
    assert "Traceback" not in log_text()


def said_after(path, *lines):
    """Say lines to the daemon, close our end, and return the lines that it says."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        heard = b""
        try:
            connection.sendall(b"".join(lines))
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                heard += data
        except (ConnectionResetError, BrokenPipeError):
            pass
    return heard.split(b"\n")


def refusal_of(path, line):
    """Return why a greeting is refused; empty where it is not, or where we left before."""
    first = said_after(path, line + b"\n")[0]
    said = json.loads(first) if first else {}
    assert said.keys() <= {"error", "hint", "exit", "spadework", "version", "pid", "wants"}
    error = said.get("error", "")
    assert len(error) < 300
    assert error.isprintable()
    return error


def test_a_field_of_another_type_is_named(daemon):
    values = [["mcp"], {"mcp": 1}, None, 1.5, [[[]]], "\ud800", "x" * 5000]
    for name, value in itertools.product(["role", "version", "project", "pid"], values):
        error = refusal_of(daemon, json.dumps(GREETING | {name: value}).encode())
        if not isinstance(value, str):
            assert f"'{name}' must be" in error


NO_GREETINGS = [
    b"",
    b"[]",
    b"null",
    b"{}",
    b"GET / HTTP/1.1",
    b"\x00\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"spadework": 1, "role": ' + b"9" * 5000 + b"}",
    json.dumps(GREETING | {"role": "x" * 100_000}).encode(),
    json.dumps(GREETING | {"role": "\x1b[31m\n"}).encode(),
    json.dumps(GREETING | {"spadework": [1]}).encode(),
    json.dumps(GREETING | {"spadework": 2}).encode(),
    b"x" * 2_000_000,
]


def test_what_is_no_greeting_is_refused_in_a_line(daemon):
    for line in NO_GREETINGS:
        first = said_after(daemon, line + b"\n", b'{"keys": {}}\n')[0]
        if first:  # else it was cut off: it said more than a greeting may be long
            assert "error" in json.loads(first), line[:80]
    odd_version = json.dumps(GREETING | {"version": "9" * 6000}).encode()
    assert refusal_of(daemon, odd_version) == ""


def test_any_greeting_gets_a_greeting_or_a_line(daemon):
    @SETTINGS
    @given(st.dictionaries(st.sampled_from([*GREETING, "proof", "other"]), VALUES))
    def check(changes):
        refusal_of(daemon, json.dumps(GREETING | changes).encode())

    check()


def test_any_keys_are_taken_or_left(daemon):
    @SETTINGS
    @given(VALUES, st.sampled_from(["mcp", "call"]))
    def check(keys, role):
        greeting = json.dumps(GREETING | {"role": role}).encode()
        said_after(daemon, greeting + b"\n", json.dumps({"keys": keys}).encode() + b"\n")
        said_after(daemon, greeting + b"\n", json.dumps(keys).encode() + b"\n")

    check()


def test_any_call_gets_one_error_in_a_line(daemon):
    greeting = json.dumps(GREETING | {"role": "call"}).encode() + b'\n{"keys": {}}\n'
    calls = (
        st.sampled_from(["status", "describe", "delegate", "survey", "serve", "nothing"]) | VALUES
    )

    @SETTINGS
    @given(calls, st.dictionaries(st.sampled_from(["job", "session", "listen", "x"]), VALUES))
    def check(call, more):
        if call == "serve":
            more = more | {"listen": "nowhere"}
        message = json.dumps({"call": call} | more).encode() + b"\n"
        for line in said_after(daemon, greeting, message)[1:]:
            assert not line or json.loads(line).keys() <= {"result", "error", "progress", "text"}

    check()


def test_any_line_of_mcp_is_answered_or_left(daemon):
    greeting = json.dumps(GREETING).encode() + b'\n{"keys": {}}\n'
    methods = st.sampled_from(
        ["initialize", "ping", "tools/list", "tools/call", "notifications/cancelled"]
    )
    more = dict.fromkeys(("id", "params", "result", "error"), VALUES) | {"method": methods | VALUES}
    messages = st.fixed_dictionaries({"jsonrpc": st.just("2.0")}, optional=more)

    @SETTINGS
    @given(messages | VALUES, st.sampled_from([b"", b"\0"]))
    def check(message, mark):
        line = mark + json.dumps(message).encode() + b"\n"
        for said in said_after(daemon, greeting, line)[1:]:
            if said and not said.startswith(b"\0"):
                json.loads(said)

    check()


def test_nested_control_lines_do_not_end_a_session(daemon):
    greeting = json.dumps(GREETING).encode() + b'\n{"keys": {}}\n'
    ping = b'{"jsonrpc": "2.0", "id": 7, "method": "ping"}\n'
    said = said_after(daemon, greeting, b"\0" + b"[" * 100_000 + b"\n", ping)
    assert any(b'"id":7' in line.replace(b" ", b"") for line in said)
