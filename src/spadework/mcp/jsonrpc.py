"""JSON-RPC over lines, as MCP's stdio transport has it: from bytes to messages and back.

Unlike the SDK's own transport it answers a line that is not a message, instead of dropping it, and
it reads without a thread, so that a signal ends it at once. It serves any pair of byte streams.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic_core import from_json

from spadework.remote.line_reader import LineReader, LineTooLong
from spadework.shim.line_buffer import LONGEST_LINE, excess
from spadework.shim.rendezvous import CONTROL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp_types import JSONRPCMessage

    from spadework.remote.line_reader import ByteSource

    Read = MemoryObjectReceiveStream[SessionMessage | Exception]
    Write = MemoryObjectSendStream[SessionMessage]
    Send = Callable[[bytes], Awaitable[None]]

MOST_WAITING = 1000
"""Requests of one connection under way: as many as the queue takes of a session."""
MOST_WAITING_BYTES = 4 * LONGEST_LINE
"""What these may hold together."""
MOST_LISTENING = 16
"""Requests of one connection for notices of change."""
BUSY = -32000
_LONG = 256 * 1024
"""Bytes of a line from which on it is parsed in two steps, which is faster by far."""
_LISTEN = "subscriptions/listen"
_CALL = "tools/call"
_SECONDS_TO_SETTLE = 0.25
"""Less than the half second in which who leaves stops the model."""
_CANCELLED = "notifications/cancelled"
_KEPT = 4096
_IDENTITY = rb'"id"\s*:\s*(?P<id>-?[0-9]{1,18}|"[^"\\]{0,200}")\s*'
_PLAIN_MEMBER = rb'"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,200}"\s*'
_FIRST = re.compile(rb"\s*\{\s*(?:" + _PLAIN_MEMBER + rb",\s*){0,2}" + _IDENTITY + rb"[,}]")
_LAST = re.compile(rb",\s*" + _IDENTITY + rb"(?:,\s*" + _PLAIN_MEMBER + rb"){0,2}\}\s*\Z")
"""Where the id of a request is plain to see: before its parameters, or behind them at its end."""


class Traffic:
    """Which requests of the client wait for their answer, those for notices of change left out.

    A daemon that moves needs to know when nothing is under way, to the last byte of an answer. And
    what one connection has under way is bounded.

    Args:
        control: is given the lines that are between us and the shim, without their first byte;
            None without a shim.
    """

    def __init__(self, control: Callable[[bytes], None] | None = None) -> None:
        self.control = control
        self.waiting: dict[object, int] = {}
        """By id, the bytes of each."""
        self._listening: set[object] = set()
        self._quick: set[object] = set()
        """Those of them that ask no model."""
        self._answered = asyncio.Event()

    def received(self, message: JSONRPCMessage, size: int) -> None:
        """Take note of a message of the client.

        Args:
            message: what it says.
            size: the bytes of its line.

        Raises:
            NoMessage: it is a request, and too much is under way already.
        """
        if isinstance(message, JSONRPCRequest):
            self._refuse_excess(message, size)
            if message.method == _LISTEN:
                self._listening.add(str(message.id))
                return
            self.waiting[str(message.id)] = size
            if message.method != _CALL:
                self._quick.add(str(message.id))
        elif isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
            # The SDK never answers what the client has cancelled.
            self._forget((message.params or {}).get("requestId"))

    def _refuse_excess(self, request: JSONRPCRequest, size: int) -> None:
        identity = str(request.id)
        if identity in self.waiting or identity in self._listening:
            reason = "Invalid request: a request with this id is under way"
            raise NoMessage(INVALID_REQUEST, reason, request.id)
        if request.method == _LISTEN:
            if len(self._listening) >= MOST_LISTENING:
                reason = f"this connection listens {MOST_LISTENING} times: cancel one"
                raise NoMessage(BUSY, reason, request.id)
        elif len(self.waiting) >= MOST_WAITING:
            reason = f"{MOST_WAITING:,} requests of this connection are under way: wait for answers"
            raise NoMessage(BUSY, reason, request.id)
        elif sum(self.waiting.values()) + size > MOST_WAITING_BYTES:
            reason = (
                f"the requests of this connection that are under way hold more than "
                f"{MOST_WAITING_BYTES:,} bytes: wait for answers"
            )
            raise NoMessage(BUSY, reason, request.id)

    def sent(self, message: JSONRPCMessage) -> None:
        """Take note of a message to the client."""
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._forget(message.id)

    def _forget(self, identity: object) -> None:
        self.waiting.pop(str(identity), None)
        self._listening.discard(str(identity))
        self._quick.discard(str(identity))
        self._answered.set()

    async def settle(self) -> None:
        """Wait, for a moment at most, until what asks no model is answered.

        A client that has closed its end is gone and its calls are cancelled; but a shell that pipes
        `tools/list` in still reads.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_SETTLE):
                while self._quick:
                    self._answered.clear()
                    await self._answered.wait()


class NoMessage(Exception):
    """A line that is not a message; it carries the answer to it."""

    def __init__(self, code: int, reason: str, request: object = None) -> None:
        super().__init__(reason)
        identity = request if isinstance(request, str | int) else None
        error = {"code": code, "message": reason}
        self.answer = json.dumps({"jsonrpc": "2.0", "id": identity, "error": error}).encode()


@asynccontextmanager
async def messages(
    reader: ByteSource, send: Send, traffic: Traffic, longest: int = LONGEST_LINE
) -> AsyncIterator[tuple[Read, Write]]:
    """Turn lines into the pair of streams that the SDK's server runs on.

    Nothing more is read while the client does not take an answer, the refusal of a request
    included. So what it has under way or unread is bounded, and what it cancels is still heard.

    Args:
        reader: gives the client's bytes.
        send: writes bytes to the client, all of them; returns when little of it is left unread.
        traffic: takes note of what passes; its `control` is given the lines that begin with a
            zero byte.
        longest: of a line, in bytes.
    """
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)

    reading = anyio.CancelScope()

    async def read() -> None:
        with reading:
            await pass_on()

    async def pass_on() -> None:
        async with to_server:
            async for line in _lines(LineReader(reader, longest), send):
                if traffic.control and line.startswith(CONTROL):
                    traffic.control(line[len(CONTROL) :])
                    continue
                try:
                    message = parse(line)
                    traffic.received(message, len(line))
                    await to_server.send(SessionMessage(message))
                except NoMessage as error:
                    await send(error.answer + b"\n")
                except anyio.BrokenResourceError:
                    return  # the server has ended
            await traffic.settle()

    async def write() -> None:
        async with from_server:
            async for outgoing in from_server:
                text = outgoing.message.model_dump_json(by_alias=True, exclude_unset=True)
                await send(text.encode() + b"\n")
                traffic.sent(outgoing.message)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(write)
        async with from_client, to_client:
            yield from_client, to_client
        reading.cancel()  # the server has ended: nobody takes what is read


def parse(line: bytes) -> JSONRPCMessage:
    """Parse one line.

    Half characters (lone surrogates), which JavaScript sends when it cuts an emoji in two and
    strict parsers refuse, become question marks.

    Raises:
        NoMessage: it is not JSON, not a JSON-RPC message, or longer than a message may be.
    """
    if reason := excess(line):
        identity = find_identity(line[:_KEPT], line[-_KEPT:])
        raise NoMessage(PARSE_ERROR, f"Parse error: {reason}", identity)
    try:
        return _validated(line)
    except ValueError:  # ValidationError is one
        pass
    try:
        value = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        raise NoMessage(PARSE_ERROR, "Parse error: this line is not valid JSON") from None
    cleaned = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    try:
        return _validated(cleaned)
    except ValueError:
        identity = value.get("id") if isinstance(value, dict) else None
        reason = "Invalid request: this is not a JSON-RPC 2.0 message"
        raise NoMessage(INVALID_REQUEST, reason, identity) from None


def _validated(line: bytes) -> JSONRPCMessage:
    """Validate a message; of a long one what is around its parameters.

    The union would make the parameters anew for each of its members.
    """
    if len(line) > _LONG:
        value = from_json(line)
        params = value.get("params") if isinstance(value, dict) else None
        if isinstance(params, dict):
            around = value | {"params": {}}
            message = jsonrpc_message_adapter.validate_python(around, by_name=False)
            if isinstance(message, JSONRPCRequest | JSONRPCNotification):
                return message.model_copy(update={"params": params})
    return jsonrpc_message_adapter.validate_json(line, by_name=False)


def find_identity(head: bytes, tail: bytes) -> str | int | None:
    """Find the id of a request that is not parsed, where it is plain to see.

    Args:
        head: the first bytes of its line.
        tail: the last ones.
    """
    match = _FIRST.match(head) or _LAST.search(tail)
    if match is None:
        return None
    found = match["id"]
    return found[1:-1].decode(errors="replace") if found.startswith(b'"') else int(found)


async def _lines(lines: LineReader, send: Send) -> AsyncIterator[bytes]:
    while True:
        try:
            line = await lines.next()
        except LineTooLong as error:
            identity = find_identity(error.head, await lines.skip())
            reason = f"Parse error: {error}: give files by reference"
            await send(NoMessage(PARSE_ERROR, reason, identity).answer + b"\n")
            continue
        if line is None:
            break
        if line.strip():
            yield line
    if (rest := lines.rest()).strip():
        yield rest
