"""A fast OpenAI-compatible server for the benchmarks: it streams a fixed answer at once.

Run as a program it prints its address, serves until its standard input ends, and does nothing
but parse and answer, so that what is measured is the client's side.

    python benchmarks/fake_server.py [MILLISECONDS_PER_ANSWER]
"""

from __future__ import annotations

import asyncio
import json
import sys

PIECES = ("A ", "short ", "and ", "fixed ", "answer ", "of ", "eight ", "pieces.")


def _event(**changes: object) -> bytes:
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "fake"} | changes
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _choice(delta: dict[str, str], finish: str | None = None) -> list[dict[str, object]]:
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


EVENTS = b"".join(
    [
        *(_event(choices=_choice({"content": piece})) for piece in PIECES),
        _event(choices=_choice({}, "stop")),
        _event(choices=[], usage={"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}),
        b"data: [DONE]\n\n",
    ]
)
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    + f"{len(EVENTS):x}\r\n".encode()
    + EVENTS
    + b"\r\n0\r\n\r\n"
)
_MODELS = json.dumps(
    {"object": "list", "data": [{"id": "fake", "object": "model", "max_model_len": 8192}]}
).encode()
MODELS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    + f"Content-Length: {len(_MODELS)}\r\n\r\n".encode()
    + _MODELS
)


class Wire(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"get"):
            self._write(MODELS)
        elif self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._write, STREAM)
        else:
            self._write(STREAM)

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


async def main() -> None:
    """Serve until standard input ends."""
    delay = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(delay), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
