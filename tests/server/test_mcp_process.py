"""The server as a process: its end, its signals, and lines that are no messages."""

import json
import signal
import subprocess
import sys

import pytest
from mcp_types import INVALID_REQUEST, PARSE_ERROR
from server_rows import BOTH_WAYS, ledger_rows

from doubles.plays import Play
from embedded.waiting import wait_until

pytestmark = [pytest.mark.slow, BOTH_WAYS]


def run_server(stdio_server):
    return subprocess.Popen(
        [stdio_server.command, *stdio_server.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=stdio_server.env,
        cwd=stdio_server.cwd,
        text=True,
    )


def test_the_server_ends_when_its_client_does(stdio_server):
    server = run_server(stdio_server)
    out, _err = server.communicate("", timeout=20)
    assert server.returncode == 0
    assert out == ""


HANDSHAKE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    },
}


def exchange(server, line):
    server.stdin.write(line + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def call(**arguments):
    params = {"name": "ask_local_llama", "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", [False, True])
def test_a_signal_ends_the_server_at_once_while_standard_input_is_open(
    stdio_server, openai_double, config_file, number, busy
):
    """It did not: a thread waited for the next line."""
    openai_double.plays(Play(hangs_after=1))
    server = run_server(stdio_server)
    assert exchange(server, json.dumps(HANDSHAKE))["id"] == 1
    if busy:
        server.stdin.write(call(prompt="Hi") + "\n")
        server.stdin.flush()
        wait_until(lambda: openai_double.chats)
    server.send_signal(number)
    server.wait(5)
    assert "Traceback" not in server.stderr.read()
    if busy:
        assert openai_double.chats[0].wait_until_left()
        wait_until(lambda: ledger_rows(config_file))
        assert [row.outcome for row in ledger_rows(config_file)] == ["cancelled"]
    server.communicate()


def test_a_line_that_is_no_message_is_answered_and_the_next_one_served(stdio_server):
    server = run_server(stdio_server)
    assert exchange(server, "garbage")["error"]["code"] == PARSE_ERROR
    assert exchange(server, '{"id": 5, "jsonrpc": "2.0"}') == {
        "jsonrpc": "2.0",
        "id": 5,
        "error": {
            "code": INVALID_REQUEST,
            "message": "Invalid request: this is not a JSON-RPC 2.0 message",
        },
    }
    assert exchange(server, json.dumps(HANDSHAKE))["id"] == 1
    # Half an emoji, as JavaScript cuts it: it had no answer at all.
    result = exchange(server, call(prompt="hi \ud83d"))["result"]
    assert result["content"][0]["text"] == "Three lines."
    server.communicate()


def test_a_server_that_was_started_at_the_root_of_the_disk_does_not_open_it(stdio_server):
    environment = {k: v for k, v in stdio_server.env.items() if k != "CLAUDE_PROJECT_DIR"}
    server = subprocess.Popen(
        [stdio_server.command, *stdio_server.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd="/",
        text=True,
    )
    assert exchange(server, json.dumps(HANDSHAKE))["id"] == 1
    result = exchange(server, call(prompt="Hi", files=["/etc/hostname"]))["result"]
    assert result["isError"]
    assert "outside-roots" in result["content"][0]["text"]
    server.communicate()


def test_files_serve_as_standard_input_and_output(stdio_server, tmp_path):
    (tmp_path / "in").write_text(json.dumps(HANDSHAKE) + "\n")
    with (tmp_path / "in").open() as source, (tmp_path / "out").open("w") as target:
        done = subprocess.run(
            [stdio_server.command, *stdio_server.args],
            stdin=source,
            stdout=target,
            env=stdio_server.env,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0
    assert json.loads((tmp_path / "out").read_text())["id"] == 1


def test_what_asks_no_model_is_answered_though_standard_input_has_ended(stdio_server):
    """Who piped `tools/list` in by hand was told: Connection closed."""
    server = run_server(stdio_server)
    list_tools = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    started = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    lines = "".join(json.dumps(one) + "\n" for one in (HANDSHAKE, started, list_tools))
    out, err = server.communicate(lines, timeout=20)
    assert [json.loads(line)["id"] for line in out.splitlines() if "result" in line] == [1, 2]
    assert (server.returncode, err) == (0, "")


def test_a_closed_standard_input_is_the_end(stdio_server):
    """Without the daemon it was a traceback: another file had got its number."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", stdio_server.command, *stdio_server.args],
        capture_output=True,
        env=stdio_server.env,
        cwd=stdio_server.cwd,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_wrong_config_ends_the_server_with_one_line(stdio_server, config_file):
    config_file.write_text("[backends.koala]\nkind = 'openia'\n")
    server = run_server(stdio_server)
    out, err = server.communicate("", timeout=20)
    assert server.returncode == 2
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_nothing_but_the_protocol_is_written_to_standard_output(stdio_server, own_work):
    start = (
        "spadework.mcp.stdio import run" if own_work else "spadework.shim.main import main as run"
    )
    code = f"print('stray'); from {start}; run()"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=stdio_server.env,
        cwd=stdio_server.cwd,
    )
    out, _ = server.communicate("", timeout=20)
    assert out == "stray\n"
