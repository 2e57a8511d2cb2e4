"""What the shim knows of the calls that pass through it."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.shim.line_buffer import LineBuffer
from spadework.shim.pending_calls import PendingCalls, is_answer_to


def line(**message):
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def answers(calls, reason="gone"):
    return [json.loads(one) for one in calls.lost(reason).splitlines()]


def ids(lost):
    return [one["id"] for one in lost]


def test_a_call_waits_until_it_is_answered():
    calls = PendingCalls()
    calls.from_client(line(id=1, method="tools/call"))
    calls.from_client(line(id="1", method="tools/call"))
    calls.from_daemon(line(method="notifications/progress"))
    calls.from_daemon(line(id="1", result={}))
    assert answers(calls) == [
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "gone"}}
    ]
    assert answers(calls) == []


@pytest.mark.parametrize("told", [1, "1"])
def test_who_has_cancelled_a_call_does_not_wait_for_it(told):
    calls = PendingCalls()
    calls.from_client(line(id=1, method="tools/call"))
    calls.from_client(line(id=2, method="tools/call"))
    calls.from_client(line(method="notifications/cancelled", params={"requestId": told}))
    assert ids(answers(calls)) == [2]


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"garbage\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b"[]\n",
        b"7\n",
        b'{"id": null, "method": "x"}\n',
        b'{"id": [1], "method": "x"}\n',
        b'{"id": {}, "result": 1}\n',
        b'{"method": "notifications/cancelled", "params": 7}\n',
        b'{"method": 7}\n',
        b'{"method": ["x"], "id": 1.5}\n',
        b'{"id": ' + b"9" * 5000 + b', "method": "x"}\n',
    ],
)
def test_odd_lines_break_nothing_and_pass(odd):
    calls = PendingCalls()
    assert calls.from_client(odd)
    assert calls.from_daemon(odd)
    calls.lost()
    calls.resumed()


def test_bytes_that_are_no_utf8_do_not_hide_a_call():
    """The daemon reads them generously, too."""
    calls = PendingCalls()
    calls.from_client(b'{"id": 1, "method": "tools/call", "params": "\xff \\ud83d"}\n')
    assert ids(answers(calls)) == [1]


def test_the_session_is_opened_anew_as_the_client_opened_it():
    calls = PendingCalls()
    assert calls.handshake() is None
    calls.from_client(line(id=0, method="initialize"))
    assert calls.handshake() is None
    assert calls.in_greeting
    calls.from_daemon(line(id=0, result={}))
    calls.from_client(line(method="notifications/initialized"))
    assert not calls.in_greeting
    identity, initialize, initialized = calls.handshake()
    assert is_answer_to(line(id=0, result={}), identity)
    assert not is_answer_to(line(id="0", result={}), identity)
    assert not is_answer_to(line(id=0, method="roots/list"), identity)
    assert json.loads(initialize)["method"] == "initialize"
    assert json.loads(initialized)["method"] == "notifications/initialized"


def test_a_greeting_is_sent_anew_and_answered_only_when_there_is_no_daemon():
    calls = PendingCalls()
    discover = line(id=0, method="server/discover")
    calls.from_client(discover)
    assert answers(calls) == []
    assert calls.resumed() == (discover, b"")
    assert ids([json.loads(calls.given_up("none"))]) == [0]
    assert not calls.in_greeting


def test_who_listens_is_not_failed_and_not_told_twice_that_it_is_heard():
    calls = PendingCalls()
    listen = line(id="l", method="subscriptions/listen", params={"notifications": {}})
    heard = line(
        method="notifications/subscriptions/acknowledged",
        params={"_meta": {"io.modelcontextprotocol/subscriptionId": "l"}},
    )
    calls.from_client(listen)
    assert calls.from_daemon(heard)
    assert answers(calls) == []
    assert calls.resumed() == (listen, b"")
    assert calls.must_be_read
    assert not calls.from_daemon(heard)
    assert not calls.must_be_read
    calls.from_client(line(method="notifications/cancelled", params={"requestId": "l"}))
    assert calls.resumed() == (b"", b"")


def test_an_answer_to_a_question_of_a_daemon_that_is_gone_is_dropped_once():
    calls = PendingCalls()
    calls.from_daemon(line(id=1, method="roots/list"))
    calls.lost()
    assert calls.must_be_read
    calls.from_daemon(line(id=1, method="roots/list"))
    assert not calls.from_client(line(id=1, result={}))
    assert calls.from_client(line(id=1, result={}))


requests = st.lists(
    st.tuples(st.one_of(st.integers(0, 5), st.sampled_from(["0", "1", "a"])), st.booleans()),
    unique_by=lambda one: (type(one[0]), one[0]),
    max_size=9,
)


@given(requests, st.integers(0, 2000), st.lists(st.integers(0, 2000), max_size=10))
def test_wherever_the_daemon_dies_each_call_has_one_answer(made, death, cuts):
    """The daemon's stream is cut at any byte, and comes in any pieces."""
    calls = PendingCalls()
    for identity, _ in made:
        calls.from_client(line(id=identity, method="tools/call"))
    told = b"".join(
        line(method="notifications/message") + line(id=identity, result={})
        for identity, is_answered in made
        if is_answered
    )
    alive = told[:death]
    lines = LineBuffer()
    passed = []
    places = sorted({0, len(alive), *(cut for cut in cuts if cut < len(alive))})
    for start, end in pairwise(places):
        passed += [one for one, _ in lines.feed(alive[start:end]) if calls.from_daemon(one)]
    messages = [json.loads(one) for one in passed] + answers(calls)
    answered = [one["id"] for one in messages if "method" not in one]
    assert sorted(answered, key=repr) == sorted((one for one, _ in made), key=repr)
