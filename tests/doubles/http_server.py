"""A small real HTTP/1.1 server on loopback, in a thread of its own, on which the doubles stand.

Synchronous and asynchronous tests can use it alike, and so can other processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

WAIT = 10.0
"""Seconds that a test waits for what must happen."""
TURNS_TO_CONNECT = 3
"""Turns of the event loop that asyncio takes from accepting a connection to handing it over."""


@dataclass
class Request:
    """What a client sent. `left` is set if it closed the connection before the reply ended.

    `idle` is for how many seconds its connection had been idle, None for the first request of a
    connection; `answered` is set once the whole of a good reply was sent.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    idle: float | None = None
    answered: bool = False
    left: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def wait_until_left(self) -> bool:
        """Wait until the client has closed the connection in mid-reply."""
        return self.left.wait(WAIT)


class Gone(Exception):
    """The client closed the connection."""


class Wire:
    """The way back to one client, for one reply."""

    def __init__(
        self, writer: asyncio.StreamWriter, gone: asyncio.Event, always: dict[str, str]
    ) -> None:
        self._writer = writer
        self._gone = gone
        self._always = always

    async def send(
        self,
        body: str | bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send a whole reply; without a media type where that is empty."""
        data = body.encode() if isinstance(body, str) else body
        media = {"Content-Type": content_type} if content_type else {}
        self._head(status, {**media, **(headers or {})}, len(data))
        await self._write(data)

    async def stream(self, pieces: Iterable[bytes], content_type: str) -> None:
        """Send a chunked reply."""
        await self.begin(content_type)
        for piece in pieces:
            await self.piece(piece)
        await self.end()

    async def begin(self, content_type: str, headers: dict[str, str] | None = None) -> None:
        """Begin a chunked reply."""
        self._head(200, {"Content-Type": content_type, **(headers or {})}, None)

    async def piece(self, data: bytes) -> None:
        """Send one piece of a chunked reply."""
        if data:
            await self._write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """End a chunked reply as the protocol says."""
        await self._write(b"0\r\n\r\n")

    async def rest(self, seconds: float | None = None) -> None:
        """Wait so long, or for ever; a client that leaves ends it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)
            raise Gone

    def drop(self) -> None:
        """Drop the connection in the middle of the reply."""
        self._writer.close()
        raise Gone

    def _head(self, status: int, headers: dict[str, str], length: int | None) -> None:
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", size]
        lines += [f"{name}: {value}" for name, value in {**self._always, **headers}.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def _write(self, data: bytes) -> None:
        if self._gone.is_set():
            raise Gone
        self._writer.write(data)
        try:
            await self._writer.drain()
        except ConnectionError:
            self._gone.set()
            raise Gone from None


class HttpDouble:
    """A server; subclasses say what it answers. Use it as a context manager.

    `port` may be set before it starts; else any free one is taken. `keep_alive` is for how many
    seconds it keeps idle connections: it announces that as llama-server does, and closes them then.
    Every `hangs_up_every`-th request that comes on a kept connection is read and gets no byte.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.keep_alive: int | None = None
        self.hangs_up_every = 0
        self.hung_up: list[Request] = []
        self._kept = 0
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._ready = threading.Event()
        self._asked = threading.Event()
        self._stop = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> list[Request]:
        """The requests for a path, in order."""
        return [request for request in self.requests if request.path == path]

    def wait_until_asked(self) -> bool:
        """Wait for the first request."""
        return self._asked.wait(WAIT)

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer one request."""
        raise NotImplementedError

    def go_away(self, seconds: float | None = None) -> None:
        """Be gone within a moment: nothing listens, and every connection is cut in mid-reply.

        Args:
            seconds: after which it is back on the same port; None: until `come_back`.
        """
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._leave)
        if seconds is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._return)

    def come_back(self) -> None:
        """Listen again on the same port."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._return)

    def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._open:
            task.cancel()

    def _return(self) -> None:
        self._returning = asyncio.ensure_future(self._listen())

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(WAIT):
            raise TimeoutError("the double does not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._listen()
        self._ready.set()
        await self._stop.wait()
        # A server that closes while asyncio hands a connection over leaks that connection.
        if self._server is not None:
            self._loop.remove_reader(self._server.sockets[0].fileno())
        for _ in range(TURNS_TO_CONNECT):
            await asyncio.sleep(0)
        self._leave()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", self.port, backlog=512
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        # A task that is cancelled before its first step runs no `finally`.
        task.add_done_callback(lambda _: writer.close())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        ended: float | None = None
        try:
            ahead = b""
            limit = None
            while request := await _read_request(reader, ahead, limit):
                request.idle = None if ended is None else clock() - ended
                self.requests.append(request)
                self._asked.set()
                if self._hangs_up_on(request):
                    return
                ahead = await self._reply(request, reader, writer)
                ended, limit = clock(), self.keep_alive
                if request.headers.get("connection") == "close":
                    return
        except (Gone, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the server stops
        except TimeoutError:
            pass  # it was idle for too long

    def _hangs_up_on(self, request: Request) -> bool:
        if request.idle is None or not self.hangs_up_every:
            return False
        self._kept += 1
        if self._kept % self.hangs_up_every:
            return False
        self.hung_up.append(request)
        request.done.set()
        return True

    async def _reply(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Answer; return what the client has already sent of its next request."""
        gone = asyncio.Event()
        limit = self.keep_alive
        always = {} if limit is None else {"Keep-Alive": f"timeout={limit}, max=100"}
        watch = asyncio.ensure_future(_watch(reader, gone))
        try:
            await self.answer(request, Wire(writer, gone, always))
        except Gone:
            if gone.is_set():
                request.left.set()
            raise
        finally:
            request.done.set()
            watch.cancel()
            (ahead,) = await asyncio.gather(watch, return_exceptions=True)
        return ahead if isinstance(ahead, bytes) else b""


def _phrase(status: int) -> str:
    """Name a status; some servers use one that the standard does not have."""
    known = status in HTTPStatus.__members__.values()
    return HTTPStatus(status).phrase if known else "Unknown"


async def _watch(reader: asyncio.StreamReader, gone: asyncio.Event) -> bytes:
    """Notice that the client leaves; it sends nothing while it reads a reply."""
    sent = b""
    with contextlib.suppress(ConnectionError):
        sent = await reader.read(1)
    if not sent:
        gone.set()
    return sent


async def _read_request(
    reader: asyncio.StreamReader, ahead: bytes, limit: float | None
) -> Request | None:
    try:
        async with asyncio.timeout(limit):
            head = ahead + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)
