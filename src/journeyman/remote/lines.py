"""Lines of any length from a stream: `StreamReader.readline` has its limit from who made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeyman.remote.coding import Malformed
from journeyman.remote.messages import LONGEST

if TYPE_CHECKING:
    import asyncio

_AT_ONCE = 65536


class Lines:
    """Reads line by line."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._ahead = bytearray()

    async def next(self) -> bytes | None:
        """Return the next line without its end; None once the other side has closed its end.

        Raises:
            Malformed: the line is longer than any message.
        """
        searched = 0
        while (end := self._ahead.find(b"\n", searched)) < 0:
            searched = len(self._ahead)
            if searched > LONGEST:
                raise Malformed(f"a line is longer than {LONGEST} bytes")
            if not (data := await self._read()):
                return None
            self._ahead += data
        line = bytes(self._ahead[:end])
        del self._ahead[: end + 1]
        return line

    async def until_closed(self) -> None:
        """Wait until the other side closes its end; what it still says is not wanted."""
        self._ahead.clear()
        while await self._read():
            pass

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_AT_ONCE)
        except ConnectionError:
            return b""
