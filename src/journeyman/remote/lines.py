"""Lines from a stream, each of bounded length: one that is longer is thrown away as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeyman.remote.coding import Malformed
from journeyman.remote.messages import LONGEST

if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """What bytes are read from: an `asyncio.StreamReader`, for one."""

        async def read(self, n: int = -1) -> bytes:
            """Return some bytes; none at the end."""
            ...


_AT_ONCE = 65536
_KEPT = 4096
"""Bytes of the beginning and of the end of a line that is thrown away, to find its id there."""


class LineTooLong(Malformed):
    """A line was thrown away; `head` and `tail` are its first and its last bytes."""

    def __init__(self, longest: int, head: bytes, tail: bytes) -> None:
        super().__init__(f"a line is longer than {longest} bytes")
        self.head = head
        self.tail = tail


class Lines:
    """Reads line by line.

    Args:
        reader: gives the bytes.
        longest: of a line, in bytes.
    """

    def __init__(self, reader: Source, longest: int | None = None) -> None:
        self._reader = reader
        self._longest = LONGEST if longest is None else longest
        self._ahead = bytearray()

    async def next(self) -> bytes | None:
        """Return the next line without its end; None once the other side has closed its end.

        Raises:
            LineTooLong: it is too long; the line after it can be read.
        """
        searched = 0
        while (end := self._ahead.find(b"\n", searched)) < 0:
            searched = len(self._ahead)
            if searched > self._longest:
                raise await self._discard()
            if not (data := await self._read()):
                return None
            self._ahead += data
        if end > self._longest:
            raise self._too_long(end)
        return self._take(end)

    def rest(self) -> bytes:
        """Return what came after the last line, once the other side has closed its end."""
        rest = bytes(self._ahead)
        self._ahead.clear()
        return rest

    async def until_closed(self) -> None:
        """Wait until the other side closes its end; what it still says is not wanted."""
        self._ahead.clear()
        while await self._read():
            pass

    def _take(self, end: int) -> bytes:
        line = bytes(self._ahead[:end])
        del self._ahead[: end + 1]
        return line

    def _too_long(self, end: int) -> LineTooLong:
        head, tail = bytes(self._ahead[:_KEPT]), bytes(self._ahead[max(0, end - _KEPT) : end])
        del self._ahead[: end + 1]
        return LineTooLong(self._longest, head, tail)

    async def _discard(self) -> LineTooLong:
        """Throw a line away up to its end."""
        head = bytes(self._ahead[:_KEPT])
        while (end := self._ahead.find(b"\n")) < 0:
            del self._ahead[:-_KEPT]
            if not (data := await self._read()):
                break
            self._ahead += data
        failure = self._too_long(end if end >= 0 else len(self._ahead))
        failure.head = head
        return failure

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_AT_ONCE)
        except ConnectionError:
            return b""
