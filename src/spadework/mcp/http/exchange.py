"""The state of one HTTP exchange: what was sent, and whether the client is connected.

It sits between the web server and the SDK's transport, and handles what that leaves open: an
answer of the newer revision is a stream from the start, so that no client gives up before the
first byte; a client that disconnects in mid-answer stops the model in the older revision too.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, MutableMapping

    from spadework.mcp.http.guard import Caller

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

Result = TypeVar("Result")

_SCOPE_KEY = "spadework.exchange"
_STREAM = b"text/event-stream"
_STREAM_HEADERS = [
    (b"content-type", _STREAM),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]
_COMMENT = b": at work\r\n\r\n"
GONE = {"type": "http.disconnect"}


class Exchange:
    """A request and its answer.

    Args:
        scope: of the request; handlers find the exchange in it.
        receive: from the web server.
        send: to the web server.
        caller: who asks.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        self.caller = caller
        self.is_stream = False
        """Whether an event stream has been begun."""
        self._scope = scope
        self._receive = receive
        self._send = send
        self._sending = asyncio.Lock()
        self._started = False
        self._ended = False
        self._wraps = False
        """Whether the SDK sends JSON where a stream has been begun already."""
        self._body = bytearray()
        self._gone = asyncio.Event()
        self._over = asyncio.Event()
        self._on_release: Callable[[], None] = lambda: None
        self._begin_stream: Callable[[], Callable[[], None]] | None = None
        scope[_SCOPE_KEY] = self

    @classmethod
    def of(cls, scope: Scope) -> Exchange:
        """The exchange that a handler works in."""
        exchange: Exchange = scope[_SCOPE_KEY]
        return exchange

    @property
    def is_standing(self) -> bool:
        """Whether it is an open stream of the older revision for whatever there is to tell."""
        return self.is_stream and self._scope["method"] == "GET"

    def hold(
        self, end: Callable[[], None], begin_stream: Callable[[], Callable[[], None]] | None = None
    ) -> None:
        """Keep what the request holds of its caller's share until its end.

        Args:
            end: gives it back.
            begin_stream: counts a stream instead, and returns what ends it.
        """
        self._on_release = end
        self._begin_stream = begin_stream

    def only_listens(self) -> None:
        """Take the request for a stream that waits, and not for a call any more.

        Raises:
            HttpRejected: its caller has too many streams.
        """
        if self._begin_stream is not None:
            end = self._begin_stream()
            self.release()
            self.hold(end)

    def release(self) -> None:
        """Give back what the request holds."""
        self._on_release()
        self._on_release = lambda: None

    async def run(self, app: App) -> None:
        """Have the request answered; what was begun is ended in any case."""
        try:
            await app(self._scope, self.receive, self.send)
        finally:
            self.release()
            if self._started:
                await self._pass_on({"type": "http.response.body", "body": b""})

    async def receive(self) -> Message:
        """Hand on what the client sends; its going away is noted."""
        if self._gone.is_set():
            return dict(GONE)
        message = await self._unless_gone(self._receive())
        if message["type"] == GONE["type"]:
            self._gone.set()
        return message

    async def send(self, message: Message) -> None:
        """Hand on what the SDK answers; in a stream that was begun before, as its event."""
        async with self._sending:
            if message["type"] == "http.response.start":
                await self._start(message)
            elif self._wraps:
                await self._wrapped(message)
            else:
                await self._pass_on(message)

    async def begin_stream(self) -> None:
        """Send the first bytes of an event stream now; the answer follows when it is there."""
        async with self._sending:
            if not self._started:
                headers = list(_STREAM_HEADERS)
                await self._pass_on(
                    {"type": "http.response.start", "status": 200, "headers": headers}
                )
            await self._pass_on({"type": "http.response.body", "body": _COMMENT, "more_body": True})

    async def tell(self, notification: dict[str, Any]) -> None:
        """Put a message of our own into a stream that is open."""
        async with self._sending:
            if self.is_stream:
                await self._pass_on(_event(json.dumps(notification).encode(), last=False))

    async def while_wanted(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work as long as the client is there and the server is not stopped.

        Raises:
            MCPError: the work was stopped.
        """
        with anyio.CancelScope() as scope:
            ending = asyncio.create_task(_cancel_when(scope, self._gone, self._over))
            try:
                return await work
            finally:
                ending.cancel()
        raise MCPError(CONNECTION_CLOSED, "the server was stopped in the middle of this call")

    def stop(self) -> None:
        """The server stops: the work ends now, with an error as the answer."""
        self._over.set()

    def hang_up(self) -> None:
        """End the exchange as if the client had gone."""
        self._gone.set()

    async def _start(self, message: Message) -> None:
        if not self._started:
            await self._pass_on(message)
        else:
            self._wraps = not _is_stream(message)

    async def _wrapped(self, message: Message) -> None:
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._pass_on(_event(bytes(self._body), last=True))

    async def _pass_on(self, message: Message) -> None:
        if self._ended:
            return
        if message["type"] == "http.response.start":
            self._started = True
            self.is_stream = _is_stream(message)
        elif not message.get("more_body", False):
            self._ended = True
        await self._send(message)

    async def _unless_gone(self, receiving: Awaitable[Message]) -> Message:
        """Wait for the client, or for `hang_up`."""
        message = asyncio.ensure_future(receiving)
        leaving = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((message, leaving), return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else dict(GONE)
        finally:
            message.cancel()
            leaving.cancel()


def _is_stream(start: Message) -> bool:
    content_type: bytes = dict(start["headers"]).get(b"content-type", b"")
    return content_type.startswith(_STREAM)


def _event(data: bytes, *, last: bool) -> Message:
    body = b"event: message\r\ndata: " + data + b"\r\n\r\n"
    return {"type": "http.response.body", "body": body, "more_body": not last}


async def _cancel_when(scope: anyio.CancelScope, *events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        scope.cancel()
    finally:
        for task in waiting:
            task.cancel()
