"""What silent connections and greedy tokens cost the other clients of the HTTP server.

Connections that never send a byte are opened from loopback; beside them a client with a token calls
a tool. Then one token opens sessions until it is refused, and another token opens one. Everything
stays on this machine, is bounded, and ends with the program.

    python benchmarks/http_flood.py [CONNECTIONS [SESSIONS]]

It prints one line of JSON. To measure another version, run it with that version's PYTHONPATH.
"""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fake_server import MODEL, running
from spadework.mcp.http.access_tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS, SESSIONS = 2100, 988
PATIENCE = 20.0
"""Seconds that a call may take before it counts as locked out."""
SERVING = re.compile(r"serving MCP at (http://\S+/mcp)")
REVISION = "2026-07-28"
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
CONFIG = """
[backends.fake]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
models = ["fake/{model}"]
"""


@contextmanager
def _server(folder: Path, backend: str) -> Iterator[tuple[int, int]]:
    """Serve; yields the port and the process that serves."""
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=backend, model=MODEL))
    environment = os.environ | {"SPADEWORK_CONFIG": str(config)}
    command = [sys.executable, "-m", "spadework", "serve", "--http", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--require-token", "--in-process"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            match = SERVING.match(process.stdout.readline())
            assert match, "it does not serve"
            yield int(urlsplit(match[1]).port or 0), process.pid
        finally:
            process.terminate()


def _post(port: int, token: str, message: dict[str, Any], **headers: str) -> tuple[int, float]:
    """Post a message; returns the status (0 without one) and the seconds until its answer ended."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = ACCEPT | named | {"authorization": f"Bearer {token}"}
    began = time.monotonic()
    try:
        connection.request("POST", "/mcp", json.dumps(message), own)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return 0, time.monotonic() - began
    else:
        return answer.status, time.monotonic() - began
    finally:
        connection.close()


def _call(port: int, token: str) -> tuple[int, float]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": {"name": "flood", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    name = "ask_local_llama"
    params = {"name": name, "arguments": {"prompt": f"{time.time()}"}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return _post(
        port,
        token,
        message,
        mcp_protocol_version=REVISION,
        mcp_method="tools/call",
        mcp_name=name,
    )


def _open_session(port: int, token: str) -> int:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "flood", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return _post(port, token, message)[0]


def _mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1)  # type: ignore[index]


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _figures(count: int, sessions: int, port: int, pid: int) -> Iterator[tuple[str, object]]:
    laptop, desk = (TokenStore().new(name)[1] for name in ("laptop", "desk"))
    _call(port, laptop)  # what is loaded late is loaded
    yield "call before", _call(port, laptop)
    yield "MiB before", _mebibytes(pid)
    with ExitStack() as stack:
        began = time.monotonic()
        for _ in range(count):
            silent = stack.enter_context(socket.socket())
            silent.settimeout(PATIENCE)
            silent.connect(("127.0.0.1", port))
        yield "seconds to connect", round(time.monotonic() - began, 2)
        time.sleep(1)
        yield "descriptors of the server", _descriptors(pid)
        yield "calls beside them", [_call(port, laptop) for _ in range(3)]
        yield "MiB beside them", _mebibytes(pid)
        time.sleep(PATIENCE)
        yield "call after a while", _call(port, laptop)
        yield "descriptors after a while", _descriptors(pid)
    opened = [_open_session(port, laptop) for _ in range(sessions)]
    yield "answers to sessions", {status: opened.count(status) for status in sorted({*opened})}
    yield "another token's sessions", [_open_session(port, desk) for _ in range(20)]
    yield "another token's call", _call(port, desk)
    yield "MiB with the sessions", _mebibytes(pid)


def main() -> None:
    """Measure, and print the figures."""
    count, sessions = (*map(int, sys.argv[1:]), *(CONNECTIONS, SESSIONS)[len(sys.argv) - 1 :])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    with tempfile.TemporaryDirectory() as folder, running() as backend:
        os.environ["SPADEWORK_DATA"] = folder
        TokenStore().new("first")
        with _server(Path(folder), backend) as (port, pid):
            figures = dict(_figures(count, sessions, port, pid))
    print(json.dumps({"connections": count, "descriptors at most": soft} | figures))


if __name__ == "__main__":
    main()
