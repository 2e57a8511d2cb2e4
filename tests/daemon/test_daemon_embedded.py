"""The embedded engine belongs to the daemon, and does not outlive it."""

import json
import os
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from embedded.waiting import is_gone, wait_until

pytestmark = pytest.mark.slow

CONFIG = """
[tools.ask_local_llama]
use_for = "anything"
models = ["embedded/*"]
max_tokens = 16
"""


@pytest.fixture
def workers(runtime_folder):
    """The process ids of the engines that run for this test."""
    mark = f"XDG_RUNTIME_DIR={runtime_folder}".encode()

    def find():
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if (
                    b"spadework.embedded.server_process" in (folder / "cmdline").read_bytes()
                    and mark in (folder / "environ").read_bytes()
                ):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    return find


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_windows_share_one_engine_that_ends_with_the_daemon(
    config_file, data_with_demo, window, workers, daemon_pid, number
):
    config_file.write_text(CONFIG)
    for one in (window(), window()):
        one.call("Say hello.")
    [worker] = workers()
    os.kill(daemon_pid(), number)
    wait_until(lambda: is_gone(worker))
    assert workers() == []


def busy(worker):
    """Whether one of the engine's slots works, by its own word; it has none before it listens."""
    settings = json.loads(Path(f"/proc/{worker}/cmdline").read_bytes().split(b"\0")[-2])
    if not Path(settings["socket"]).exists():
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(settings["socket"])
        connection.sendall(b"GET /slots HTTP/1.0\r\n\r\n")
        with connection.makefile("rb") as reply:
            slots = json.loads(reply.read().partition(b"\r\n\r\n")[2])
    # While it loads it answers with an error.
    return isinstance(slots, list) and any(slot["is_processing"] for slot in slots)


def cancel(one, call):
    note = {"method": "notifications/cancelled", "params": {"requestId": call}}
    one.process.stdin.write(json.dumps({"jsonrpc": "2.0", **note}) + "\n")
    one.process.stdin.flush()


WAYS = {
    "a cancellation": cancel,
    "a closed pipe": lambda one, _: one.process.stdin.close(),
    "a killed window": lambda one, _: one.process.kill(),
}


@pytest.mark.parametrize("way", WAYS)
def test_whoever_leaves_the_engine_itself_stops_working_for(
    config_file, data_with_demo, window, workers, rows, way
):
    """How soon is measured by benchmarks/cancelling.py."""
    config_file.write_text(CONFIG.replace("16", "1500"))
    one = window()
    call = one.send_call("Tell a very long story.")
    wait_until(workers)
    [worker] = workers()
    wait_until(lambda: busy(worker))
    WAYS[way](one, call)
    wait_until(lambda: not busy(worker))
    assert [row.outcome for row in rows(1)] == ["cancelled"]


def test_ctrl_c_of_a_shell_stops_the_engine_in_the_daemon(
    config_file, data_with_demo, window, workers, rows
):
    config_file.write_text(CONFIG.replace("16", "1500"))
    window()  # a daemon runs
    ask = [sys.executable, "-m", "spadework", "ask", "Tell a very long story."]
    with subprocess.Popen(ask, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
        wait_until(workers)
        [worker] = workers()
        wait_until(lambda: busy(worker))
        asking.send_signal(signal.SIGINT)
        wait_until(lambda: not busy(worker))
        asking.communicate(timeout=30)
    assert asking.returncode == 130
    assert [row.outcome for row in rows(1)] == ["cancelled"]


def test_who_closes_an_http_stream_stops_the_engine_in_the_daemon(
    config_file, data_with_demo, window, workers, rows
):
    config_file.write_text(CONFIG.replace("16", "1500"))
    window()  # a daemon runs
    serve = [sys.executable, "-m", "spadework", "serve", "--http", "127.0.0.1:0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as serving:
        url = urlsplit(serving.stdout.readline().split()[3].rstrip(";"))
        client = {"name": "test", "version": "1"}
        meta = {"protocolVersion": "2026-07-28", "clientInfo": client, "clientCapabilities": {}}
        params = {
            "name": "ask_local_llama",
            "arguments": {"prompt": "Tell a very long story."},
            "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()},
        }
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": "ask_local_llama",
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        connection = HTTPConnection(url.netloc)
        connection.request("POST", url.path, json.dumps(body), headers)
        wait_until(workers)
        [worker] = workers()
        wait_until(lambda: busy(worker))
        connection.close()
        wait_until(lambda: not busy(worker))
        serving.terminate()
    assert [row.outcome for row in rows(1)] == ["cancelled"]
