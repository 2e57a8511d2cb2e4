"""What every HTTP client of ours does alike: no reply costs more memory or time than a fixed bound.

A server may send what it likes. Each client therefore asks for `identity`, decodes at most one
`gzip` or `deflate` in small steps, counts the bytes that come out, and hands on whole lines (of a
stream of events: whole events), so that what reads them never collects one that has no end.
`httpx` and `httpx2` are one library under two names: each function takes the one that it works for.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

LARGEST_REPLY = 64_000_000
"""Bytes of one reply, decoded, events and all: a quarter of a million tokens. Who sends more is
broken, and would fill our memory."""

LARGEST_DOCUMENT = 8_000_000
"""Bytes of a reply that is read as one JSON document: a list, a description, a count of tokens."""

LARGEST_LINE = 4_000_000
"""Bytes of one line or one event of a stream. A token with its twenty alternatives has 4,000."""

LARGEST_ERROR = 64_000
"""Bytes of an error reply; the rest is not read."""

MOST_LINES = 3_000_000
"""Lines of one stream: each costs time, an empty one too."""

_STEP = 65_536  # bytes that are decoded, or handed on, before others get their turn
_EVENTS = "text/event-stream"
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LINE_ENDS = (b"\n",)
_LONGEST_END = max(map(len, _EVENT_ENDS))
_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": 15}

_largest: ContextVar[int | None] = ContextVar("_largest", default=None)


class OverBound(Exception):
    """A reply is larger than it may be, or is encoded as it may not be; the message says how."""


@contextmanager
def replies_up_to(size: int) -> Iterator[None]:
    """Bound replies to what is asked inside to so many bytes, decoded; they need have no lines."""
    token = _largest.set(size)
    try:
        yield
    finally:
        _largest.reset(token)


def async_client(library: Any, **options: Any) -> Any:
    """Build a `library.AsyncClient` with these options whose replies are bounded."""
    return library.AsyncClient(event_hooks=async_hooks(library), **options)


def async_hooks(library: Any) -> dict[str, list[Any]]:
    """Return the event hooks that bound the replies of an async client."""

    class Bounded(library.AsyncByteStream):  # type: ignore[misc]  # reason: chosen at run time
        def __init__(self, response: Any) -> None:
            self._stream = response.stream
            self._body = _Body(response)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async with aclosing(_pieces(self._stream, self._body)) as pieces:
                    async for piece in pieces:
                        yield piece
            except OverBound as error:
                raise library.DecodingError(str(error)) from error

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def ask_for_identity(request: Any) -> None:
        request.headers["Accept-Encoding"] = "identity"

    async def bound(response: Any) -> None:
        response.stream = Bounded(response)

    return {"request": [ask_for_identity], "response": [bound]}


async def _pieces(stream: Any, body: _Body) -> AsyncGenerator[bytes, None]:
    async with aclosing(aiter(stream)) as parts:
        async for part in parts:
            for piece in body.take(part):
                yield piece
                await asyncio.sleep(0)  # time for others, and for a deadline
            if body.is_over:
                break
    for piece in body.rest():
        yield piece


def bound_client(client: Any, library: Any) -> Any:
    """Bound the replies of a synchronous client that another library has built; returns it."""

    class Bounded(library.SyncByteStream):  # type: ignore[misc]  # reason: chosen at run time
        def __init__(self, response: Any) -> None:
            self._stream = response.stream
            self._body = _Body(response)

        def __iter__(self) -> Iterator[bytes]:
            try:
                for part in self._stream:
                    yield from self._body.take(part)
                    if self._body.is_over:
                        break
                yield from self._body.rest()
            except OverBound as error:
                raise library.DecodingError(str(error)) from error

        def close(self) -> None:
            self._stream.close()

    def ask_for_identity(request: Any) -> None:
        request.headers["Accept-Encoding"] = "identity"

    def bound(response: Any) -> None:
        response.stream = Bounded(response)

    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks.get("request", ()), ask_for_identity],
        "response": [*hooks.get("response", ()), bound],
    }
    return client


class _Body:
    """The body of one reply on its way in."""

    def __init__(self, response: Any) -> None:
        chosen = _largest.get()
        self._largest = chosen or LARGEST_REPLY
        self._is_stream = chosen is None
        self._is_error = response.status_code >= HTTPStatus.BAD_REQUEST
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._ends = _EVENT_ENDS if media == _EVENTS else _LINE_ENDS
        named = response.headers.get("content-encoding", "").lower().split(",")
        encodings = [one.strip() for one in named if one.strip() not in {"", "identity"}]
        self._decoder = _Decoder(encodings) if encodings else None
        if encodings:
            del response.headers["content-encoding"]  # it is decoded here, and nowhere else
        self._received = self._decoded = self._lines = 0
        self._pending = bytearray()
        self.is_over = False
        """Whether the rest need not be read."""

    def take(self, part: bytes) -> Iterator[bytes]:
        """Take in what has come, and yield what is whole; each step is a bounded piece of work."""
        self._received += len(part)
        self._check_size(self._received)
        for piece in self._decoder.decode(part) if self._decoder else _steps(part):
            self._decoded += len(piece)
            if self._is_error and self._decoded > LARGEST_ERROR:
                self._pending += piece[: LARGEST_ERROR - self._decoded]
                self.is_over = True
                return
            self._check_size(self._decoded)
            yield self._whole(piece)

    def rest(self) -> Iterator[bytes]:
        """Yield what came after the last line's end."""
        if self._pending:
            yield bytes(self._pending)
            self._pending.clear()

    def _whole(self, piece: bytes) -> bytes:
        if not self._is_stream:
            return piece
        self._lines += piece.count(b"\n")
        if self._lines > MOST_LINES:
            raise OverBound(f"the reply has more than {MOST_LINES} lines")
        start = max(0, len(self._pending) - _LONGEST_END)
        self._pending += piece
        found = ((self._pending.rfind(end, start), len(end)) for end in self._ends)
        cut = max((place + length for place, length in found if place >= 0), default=0)
        whole = bytes(self._pending[:cut])
        del self._pending[:cut]
        if len(self._pending) > LARGEST_LINE:
            raise OverBound(f"a line of the reply is larger than {LARGEST_LINE} bytes")
        return whole

    def _check_size(self, size: int) -> None:
        if size > self._largest:
            raise OverBound(f"the reply is larger than {self._largest} bytes")


class _Decoder:
    """Takes one `gzip` or `deflate` off, a bounded step at a time."""

    def __init__(self, encodings: list[str]) -> None:
        self._refused = ""
        if len(encodings) > 1 or encodings[0] not in _WINDOW_BITS:
            shown = ", ".join(encodings)[:60]
            self._refused = f"the reply is encoded as {shown!r}, though identity was asked for"
            return
        self._raw = encodings[0] == "deflate"  # which some servers send without zlib's frame
        self._zlib = zlib.decompressobj(_WINDOW_BITS[encodings[0]])

    def decode(self, part: bytes) -> Iterator[bytes]:
        if self._refused:
            raise OverBound(self._refused)
        while part and not self._zlib.eof:
            yield self._step(part)
            part = self._zlib.unconsumed_tail
            self._raw = False
        while not self._zlib.eof and (more := self._step(b"")):
            yield more

    def _step(self, part: bytes) -> bytes:
        try:
            return self._zlib.decompress(part, _STEP)
        except zlib.error as error:
            if not self._raw:
                raise OverBound(f"the reply cannot be decoded: {error}") from None
        self._raw = False
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        return self._step(part)


def _steps(part: bytes) -> Iterable[bytes]:
    return (part[at : at + _STEP] for at in range(0, len(part), _STEP))
