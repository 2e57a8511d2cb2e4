"""A fast fake model server for the benchmarks: it answers at once, always the same.

It speaks OpenAI's API and Ollama's, streamed and whole, as far as the delegation servers that are
compared here ask for it; anything else is a 404. Of Ollama it has the silent cut too: a prompt that
is longer than the window is answered from its end, unless `truncate` is false. It does nothing but
parse and answer, so that what is measured is the client's side.

Run as a program it prints its address and serves until its standard input ends.

    python benchmarks/fake_server.py [MILLISECONDS_PER_ANSWER [ANSWER]]
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "fake"
WINDOW = 8192
_ANSWER = "A short and fixed answer of eight pieces."
_ANSWER_GIVEN = 2
if __name__ == "__main__" and len(sys.argv) > _ANSWER_GIVEN:
    _ANSWER = sys.argv[_ANSWER_GIVEN]
PIECES = tuple(re.findall(r"\S+\s*", _ANSWER))
TEXT = "".join(PIECES)
USAGE = {"prompt_tokens": 20, "completion_tokens": len(PIECES), "total_tokens": 20 + len(PIECES)}
CREATED = "2026-11-23T04:05:35.0Z"


def _response(content_type: str, body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def _json(value: object, status: str = "200 OK") -> bytes:
    return _response("application/json", json.dumps(value).encode(), status)


def _chunked(content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def _event(**changes: object) -> bytes:
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": MODEL} | changes
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _choice(delta: dict[str, str], finish: str | None = None) -> list[dict[str, object]]:
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


def _ollama_lines(field: str, pieces: tuple[str, ...], prompt_tokens: int) -> bytes:
    """Ollama's answer; `field` is `message` or `response`."""
    common = {"model": MODEL, "created_at": CREATED}

    def text(piece: str) -> dict[str, object]:
        return {field: {"role": "assistant", "content": piece} if field == "message" else piece}

    end = {
        "done": True,
        "done_reason": "stop",
        "total_duration": 3,
        "load_duration": 1,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": 1,
        "eval_count": len(PIECES),
        "eval_duration": 1,
    }
    *first, last = pieces
    lines = [common | text(piece) | {"done": False} for piece in first]
    lines.append(common | text(last) | end)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


STREAM = _chunked(
    "text/event-stream",
    b"".join(
        [
            *(_event(choices=_choice({"content": piece})) for piece in PIECES),
            _event(choices=_choice({}, "stop")),
            _event(choices=[], usage=USAGE),
            b"data: [DONE]\n\n",
        ]
    ),
)
WHOLE = _json(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "8.0B",
    "quantization_level": "Q4_K_M",
}
_LISTED = {"name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "size": 1, "digest": "0" * 64}
_LISTED |= {"details": _DETAILS}
SHOWN = _json(
    {
        "details": _DETAILS,
        "modified_at": CREATED,
        "capabilities": ["completion"],
        "model_info": {"general.architecture": "llama", "llama.context_length": WINDOW},
    }
)
GETS = {
    b"/v1/models": _json(
        {"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": WINDOW}]}
    ),
    b"/api/tags": _json({"models": [_LISTED | {"modified_at": CREATED}]}),
    b"/api/ps": _json(
        {"models": [_LISTED | {"expires_at": CREATED, "size_vram": 1, "context_length": WINDOW}]}
    ),
    b"/api/version": _json({"version": "0.33.0"}),
}
MISSING = _json({"error": "not found"}, "404 Not Found")


def _ollama_answer(body: bytes) -> bytes:
    asked = json.loads(body)
    field = "message" if "messages" in asked else "response"
    prompt_tokens = 20 + len(body) // 4
    window = asked.get("options", {}).get("num_ctx", WINDOW)
    if prompt_tokens > window:
        if asked.get("truncate") is False:
            told = {"n_prompt_tokens": prompt_tokens, "n_ctx": window}
            return _json({"error": json.dumps(told)}, "400 Bad Request")
        prompt_tokens = window // 2 + 2
    if asked.get("stream") is False:
        return _response("application/json", _ollama_lines(field, (TEXT,), prompt_tokens))
    return _chunked("application/x-ndjson", _ollama_lines(field, PIECES, prompt_tokens))


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
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if method == b"get":
            self._write(GETS.get(path, MISSING))
        elif path == b"/v1/chat/completions":
            # The openai client and httpx write compact JSON, others do not.
            streamed = b'"stream":true' in body or b'"stream": true' in body
            self._write_in_time(STREAM if streamed else WHOLE)
        elif path in {b"/api/chat", b"/api/generate"}:
            self._write_in_time(_ollama_answer(body))
        else:
            self._write(SHOWN if path == b"/api/show" else MISSING)

    def _write_in_time(self, data: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._write, data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


@contextmanager
def running(milliseconds: float = 0.0, answer: str = "") -> Iterator[str]:
    """Run the server in a process of its own; gives its address.

    Args:
        milliseconds: how long each answer takes.
        answer: what it answers, where not the usual eight words.
    """
    program = [sys.executable, __file__, str(milliseconds), *([answer] if answer else [])]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.communicate("")


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
