"""JSON-RPC over lines, as MCP's stdio transport has it: from bytes to messages and back.

Unlike the SDK's own transport it answers a line that is no message, instead of dropping it, and it
reads without a thread, so that a signal ends it at once. It serves any pair of byte streams.
"""

from __future__ import annotations

import asyncio
import json
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
from pydantic import ValidationError

from journeyman.shim.meeting import CONTROL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp_types import JSONRPCMessage

    Read = MemoryObjectReceiveStream[SessionMessage | Exception]
    Write = MemoryObjectSendStream[SessionMessage]
    Send = Callable[[bytes], Awaitable[None]]

LONGEST_LINE = 64 * 1024 * 1024
_LISTEN = "subscriptions/listen"
_CALL = "tools/call"
_SECONDS_TO_SETTLE = 0.25
"""Less than the half second in which who leaves stops the model."""
_CANCELLED = "notifications/cancelled"


class Traffic:
    """Which requests of the client wait for their answer, those for notices of change left out.

    A daemon that moves needs to know when nothing is under way, to the last byte of an answer.

    Args:
        control: is given the lines that are between us and the shim, without their first byte;
            None where there is no shim.
    """

    def __init__(self, control: Callable[[bytes], None] | None = None) -> None:
        self.control = control
        self.waiting: set[object] = set()
        self._quick: set[object] = set()
        """Those of them that ask no model."""
        self._answered = asyncio.Event()

    def received(self, message: JSONRPCMessage) -> None:
        """Take note of a message of the client."""
        if isinstance(message, JSONRPCRequest) and message.method != _LISTEN:
            self.waiting.add(str(message.id))
            if message.method != _CALL:
                self._quick.add(str(message.id))
        elif isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
            # The SDK never answers what the client has cancelled.
            self._forget((message.params or {}).get("requestId"))

    def sent(self, message: JSONRPCMessage) -> None:
        """Take note of a message to the client."""
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._forget(message.id)

    def _forget(self, identity: object) -> None:
        self.waiting.discard(str(identity))
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
    """A line that is no message; it carries the answer to it."""

    def __init__(self, code: int, reason: str, request: object = None) -> None:
        super().__init__(reason)
        identity = request if isinstance(request, str | int) else None
        error = {"code": code, "message": reason}
        self.answer = json.dumps({"jsonrpc": "2.0", "id": identity, "error": error}).encode()


@asynccontextmanager
async def messages(
    reader: asyncio.StreamReader, send: Send, traffic: Traffic
) -> AsyncIterator[tuple[Read, Write]]:
    """Turn lines into the pair of streams that the SDK's server runs on.

    Args:
        reader: gives the client's lines; its limit is the longest line.
        send: writes bytes to the client, all of them.
        traffic: takes note of what passes; its `control` is given the lines that begin with a
            zero byte.
    """
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        async with to_server:
            async for line in _lines(reader, send):
                if traffic.control and line.startswith(CONTROL):
                    traffic.control(line[len(CONTROL) :])
                    continue
                try:
                    message = parse(line)
                    traffic.received(message)
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


def parse(line: bytes) -> JSONRPCMessage:
    """Parse one line.

    Half characters (lone surrogates), which JavaScript sends when it cuts an emoji in two and
    strict parsers refuse, become question marks.

    Raises:
        NoMessage: it is no JSON, or no message of JSON-RPC.
    """
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        pass
    try:
        value = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        raise NoMessage(PARSE_ERROR, "Parse error: this line is no JSON") from None
    mended = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    try:
        return jsonrpc_message_adapter.validate_json(mended, by_name=False)
    except ValidationError:
        identity = value.get("id") if isinstance(value, dict) else None
        reason = "Invalid request: this is no message of JSON-RPC 2.0"
        raise NoMessage(INVALID_REQUEST, reason, identity) from None


async def _lines(reader: asyncio.StreamReader, send: Send) -> AsyncIterator[bytes]:
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # asyncio's word for a line over the limit; it has been thrown away
            reason = f"Parse error: a line is longer than {LONGEST_LINE} bytes"
            await send(NoMessage(PARSE_ERROR, reason).answer + b"\n")
            continue
        except ConnectionError:
            return
        if not line:
            return
        if line.strip():
            yield line
