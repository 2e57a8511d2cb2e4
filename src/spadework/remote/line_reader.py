"""Reads lines of bounded length from a stream; a longer line is discarded as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.remote.messages import LONGEST
from spadework.util.serialization import MalformedData

if TYPE_CHECKING:
    from typing import Protocol

    class ByteSource(Protocol):
        """What bytes are read from: an `asyncio.StreamReader`, for one."""

        async def read(self, n: int = -1) -> bytes:
            """Return some bytes; none at the end."""
            ...


_AT_ONCE = 65536
_KEPT = 4096
"""Bytes of the beginning and of the end of a line that is thrown away, to find its id there."""


class LineTooLong(MalformedData):
    """A line is too long; `head` is its beginning. `LineReader.skip` continues after it."""

    def __init__(self, longest: int, head: bytes) -> None:
        super().__init__(f"a line is longer than {longest} bytes")
        self.head = head


class LineReader:
    """Reads line by line.

    Args:
        reader: gives the bytes.
        longest: of a line, in bytes.
    """

    def __init__(self, reader: ByteSource, longest: int | None = None) -> None:
        self._reader = reader
        self._longest = LONGEST if longest is None else longest
        self._ahead = bytearray()

    async def next(self) -> bytes | None:
        """Return the next line without its end; None once the other side has closed its end.

        Raises:
            LineTooLong: it is too long; the line after it can be read after `skip`.
        """
        searched = 0
        while (end := self._ahead.find(b"\n", searched)) < 0:
            searched = len(self._ahead)
            if searched > self._longest:
                raise self._too_long()
            if not (data := await self._read()):
                return None
            self._ahead += data
        if end > self._longest:
            raise self._too_long()
        line = bytes(self._ahead[:end])
        del self._ahead[: end + 1]
        return line

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

    async def skip(self) -> bytes:
        """Throw a line that is too long away up to its end; returns its last bytes."""
        while (end := self._ahead.find(b"\n")) < 0:
            del self._ahead[:-_KEPT]
            if not (data := await self._read()):
                end = len(self._ahead)
                break
            self._ahead += data
        tail = bytes(self._ahead[max(0, end - _KEPT) : end])
        del self._ahead[: end + 1]
        return tail

    def _too_long(self) -> LineTooLong:
        return LineTooLong(self._longest, bytes(self._ahead[:_KEPT]))

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_AT_ONCE)
        except ConnectionError:
            return b""
