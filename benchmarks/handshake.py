"""Start a stdio MCP server as a client does, and measure it until its tools are listed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 60.0
"""Seconds that a server may take; Claude Code gives 30."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "startup-benchmark", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


@dataclass(frozen=True, slots=True)
class Start:
    """What one start showed.

    Args:
        milliseconds: from just before the process is made to the end of the answer of tools/list.
        kibibytes: resident memory of the process and its children then; 0 where /proc is missing.
        listed_bytes: of the line that answers tools/list.
        tools: how many there are.
    """

    milliseconds: float
    kibibytes: int
    listed_bytes: int
    tools: int


class StartFailed(Exception):
    """The server ended, was silent too long or answered with an error."""


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Start:
    """Start a server in a folder, list its tools and end it.

    Raises:
        StartFailed: with the last line that the server wrote to standard error.
    """
    with tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        try:
            server = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise StartFailed(str(error)) from None
        with server:
            try:
                line = _listed_tools(server, began + PATIENCE)
                ended = time.perf_counter()
                memory = resident_kibibytes(server.pid)
            except (StartFailed, BrokenPipeError) as error:
                _end(server)
                raise StartFailed(_last_line(complaints) or str(error)) from None
            _end(server)
    tools = json.loads(line)["result"]["tools"]
    return Start((ended - began) * 1000, memory, len(line), len(tools))


def _listed_tools(server: subprocess.Popen[bytes], deadline: float) -> bytes:
    _say(server, INITIALIZE)
    answers = _Answers(server, deadline)
    answers.to(1)
    _say(server, INITIALIZED, LIST)
    return answers.to(2)


def _say(server: subprocess.Popen[bytes], *messages: Mapping[str, Any]) -> None:
    assert server.stdin is not None
    server.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


class _Answers:
    """The lines that a server writes, until a deadline of `time.perf_counter`."""

    def __init__(self, server: subprocess.Popen[bytes], deadline: float) -> None:
        assert server.stdout is not None
        self._file = server.stdout.fileno()
        self._deadline = deadline
        self._buffer = b""

    def to(self, request: int) -> bytes:
        """Return the line that answers a request; others are passed over."""
        while True:
            line, found, rest = self._buffer.partition(b"\n")
            if not found:
                self._read()
                continue
            self._buffer = rest
            message = _message(line)
            if message.get("id") == request and "method" not in message:
                if "error" in message:
                    raise StartFailed(f"error: {message['error'].get('message')}")
                return line

    def _read(self) -> None:
        left = self._deadline - time.perf_counter()
        if left <= 0 or not select.select([self._file], [], [], left)[0]:
            raise StartFailed(f"no answer in {PATIENCE:g} s")
        if not (data := os.read(self._file, 65536)):
            raise StartFailed("it ended")
        self._buffer += data


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        raise StartFailed(f"it wrote what is no JSON: {line[:80]!r}") from None
    return message if isinstance(message, dict) else {}


def _end(server: subprocess.Popen[bytes]) -> None:
    """End a server as a client does: close its input, and kill what is left of it soon after."""
    assert server.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        server.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def resident_kibibytes(process: int) -> int:
    """Sum VmRSS of a process and of all that came from it; 0 where there is no /proc."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold spaces; the parent is the second field after it.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {process}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(_kibibytes(member) for member in family)


def _kibibytes(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
