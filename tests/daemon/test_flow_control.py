"""What one client does to the daemon costs another one next to nothing."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from embedded.waiting import wait_until
from spadework.daemon import control
from spadework.daemon.process import MOST_OF_A_PROCESS
from spadework.errors import DaemonError
from spadework.mcp.jsonrpc import MOST_WAITING
from spadework.shim.line_buffer import LONGEST_LINE

pytestmark = pytest.mark.slow

HUGE = 20_000_000_000
ASK = "ask_local_llama"
SECONDS = 60  # what took minutes, or for ever, ends within it


def huge_file(project):
    with (project / "huge.txt").open("wb") as file:
        file.write(b"a line of a log\n" * 600)
        file.truncate(HUGE)


def send_reading(window, *files):
    return window.send("tools/call", name=ASK, arguments={"prompt": "What?", "files": [*files]})


def text_of(answer):
    assert "result" in answer, answer
    return answer["result"]["content"][0]["text"]


def connections():
    try:
        return len(control.describe()["connections"])
    except DaemonError:  # this process has too many
        return MOST_OF_A_PROCESS


def daemon_memory():
    pid = control.describe()["pid"]
    with Path(f"/proc/{pid}/status").open() as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_the_beginning_of_a_huge_file_is_answered(window, project):
    huge_file(project)
    one = window()
    started = time.monotonic()
    asked = [send_reading(one, "huge.txt:1-10") for _ in range(8)]
    assert [text_of(one.answer(identity)) for identity in asked] == ["Three lines."] * 8
    assert time.monotonic() - started < SECONDS


def test_who_reads_for_ever_leaves_threads_to_others_and_can_cancel(window, project):
    huge_file(project)
    greedy, other = window(), window()
    asked = [send_reading(greedy, "huge.txt:5000000-5000010") for _ in range(20)]
    assert text_of(other.answer(send_reading(other, "notes.md"))) == "Three lines."
    for identity in asked:
        note = {"method": "notifications/cancelled", "params": {"requestId": identity}}
        greedy.process.stdin.write(json.dumps({"jsonrpc": "2.0", **note}) + "\n")
    greedy.process.stdin.flush()
    assert text_of(greedy.answer(send_reading(greedy, "notes.md"))) == "Three lines."


def test_reading_ends_with_the_tools_deadline(window, project, config_file):
    config_file.write_text(config_file.read_text() + "deadline = 1\n")
    huge_file(project)
    one = window()
    result = one.answer(send_reading(one, "huge.txt:5000000-5000010"))["result"]
    assert result["isError"]
    assert "the time of this call was over before it was read" in text_of({"result": result})


@pytest.mark.parametrize("piece", [b"word ", b"[],"])
def test_a_line_of_forty_megabytes_is_refused_by_its_id_and_kept_by_nobody(window, piece):
    one, other = window(), window()
    before = daemon_memory()
    quote = b'"' if piece == b"word " else b""
    filler = piece * (40_000_000 // len(piece))
    inner = quote + filler + quote if quote else b"[" + filler + b"[]]"
    line = b'{"jsonrpc":"2.0","method":"ping","params":{"a":%s},"id":77}\n' % inner
    raw = one.process.stdin.buffer
    writing = threading.Thread(target=lambda: (raw.write(line), raw.flush()))
    writing.start()
    told = one.answer(77)["error"]["message"]
    writing.join()
    assert str(LONGEST_LINE) in told
    assert daemon_memory() - before < 8 * LONGEST_LINE
    assert one.call() == other.call() == "Three lines."


def test_a_client_that_does_not_read_is_not_read_either(window, daemon_pid):
    flooding, other = window(), window()
    stdin = flooding.process.stdin.buffer.raw
    os.set_blocking(stdin.fileno(), False)
    before = daemon_memory()
    padding = b"x" * 2000  # so that few of them fill what lies between
    message = b'{"jsonrpc":"2.0","id":%d,"method":"tools/list","params":{"_meta":{"a":"'
    message += padding + b'"}}}\n'
    rest, number, full_since = b"", 1000, None
    deadline = time.monotonic() + 2 * SECONDS
    while full_since is None or time.monotonic() - full_since < 2:
        assert time.monotonic() < deadline
        if not rest:
            number += 1
            rest = message % number
        written = stdin.write(rest)
        if written is None:
            full_since = full_since or time.monotonic()
            time.sleep(0.05)
            continue
        rest, full_since = rest[written:], None
    assert daemon_memory() - before < 100_000_000
    assert other.call() == "Three lines."
    # It reads after all, and then it is read, too: what was behind the first thousand is answered.
    assert flooding.answer(1000 + MOST_WAITING + 100)


def test_a_process_that_connects_for_ever_is_sent_away_and_windows_still_get_in(window):
    window()
    address = control.describe()["address"]
    hello = {"spadework": 1, "version": "0.1.0", "role": "mcp", "project": "/", "pid": 1}
    line = json.dumps(hello).encode() + b"\n"
    opened = []
    try:
        for _ in range(MOST_OF_A_PROCESS + 10):
            connection = socket.socket(socket.AF_UNIX)
            opened.append(connection)
            connection.settimeout(SECONDS)
            connection.connect(address)
            connection.sendall(line)
            said = json.loads(connection.makefile().readline())
            if "error" in said:
                break
            connection.sendall(b'{"keys": {}}\n')
        assert f"{MOST_OF_A_PROCESS} connections" in said["error"]
        assert window().call() == "Three lines."
    finally:
        for connection in opened:
            connection.close()
    wait_until(lambda: connections() < 10)
