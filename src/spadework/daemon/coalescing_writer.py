"""A writer that joins progress messages for a client that reads slowly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from spadework.remote.messages import line_of
from spadework.util.serialization import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.engine.job import Progress


MOST_WAITING = 16 * 1024 * 1024
"""Characters of a reply that wait for a client to read them."""


class CoalescingWriter:
    """Lines on their way to a client; nothing of it blocks.

    What a slow client did not read yet is joined: texts to one text, steps to the newest. One that
    leaves more than `MOST_WAITING` unread is too slow: see `until_full`.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._ended = False
        self._text_waiting = 0
        self._full = asyncio.Event()

    def progress(self, progress: Progress) -> None:
        """Tell a step."""
        step = encode(progress)
        if self._waiting and _is_overtaken(self._waiting[-1], step):
            self._waiting.pop()
        self._put({"progress": step})

    def text(self, piece: str) -> None:
        """Tell a piece of the reply."""
        self._text_waiting += len(piece)
        if self._text_waiting > MOST_WAITING:
            self._full.set()
            return
        # A count of tokens between two texts does not keep them apart.
        at = -2 if len(self._waiting) > 1 and _is_count(self._waiting[-1]) else -1
        if self._waiting and "text" in self._waiting[at]:
            self._waiting[at]["text"].append(piece)
        else:
            self._put({"text": [piece]})

    def away(self, what: str) -> None:
        """Tell what server is waited for."""
        if self._waiting and "away" in self._waiting[-1]:
            self._waiting.pop()
        self._put({"away": what})

    def end(self, message: dict[str, Any]) -> None:
        """Tell the end; nothing follows."""
        self._put(message)
        self._ended = True

    async def send(self) -> None:
        """Send until the end is sent, as fast as the client reads."""
        while self._waiting or not self._ended:
            await self._news.wait()
            self._news.clear()
            lines, self._waiting = self._waiting, []
            self._text_waiting = 0
            self._writer.write(b"".join(map(_line, lines)))
            await self._writer.drain()

    async def until_full(self) -> None:
        """Wait until the client has left so much unread that its call may be ended."""
        await self._full.wait()

    def _put(self, message: dict[str, Any]) -> None:
        self._waiting.append(message)
        self._news.set()


def _is_overtaken(waiting: Mapping[str, Any], step: Mapping[str, Any]) -> bool:
    """Tell whether a newer step of the same kind replaces this one; never for a failed model."""
    stage = _stage(waiting)
    return stage == step["stage"] and stage != "next-model"


def _is_count(waiting: Mapping[str, Any]) -> bool:
    return _stage(waiting) == "answering"


def _stage(message: Mapping[str, Any]) -> str:
    return str(message.get("progress", {}).get("stage", ""))


def _line(message: dict[str, Any]) -> bytes:
    """Join the pieces of a text only now: to do so at each would take the square of the time."""
    return line_of({"text": "".join(message["text"])} if "text" in message else message)
