"""One client connection of the daemon, from the handshake to its end."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.config.api_keys import window_keys
from spadework.engine.job import Session
from spadework.mcp.jsonrpc import Traffic, messages
from spadework.mcp.stdio import project_folder, serve
from spadework.shim.rendezvous import CONTROL, MCP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.daemon.handshake import Peer
    from spadework.mcp.reloading_engine import ReloadingEngine

log = logging.getLogger(__name__)

_SECONDS_TO_CLOSE = 2.0


class ClientConnection:
    """A client that is being served.

    Args:
        peer: who the client is.
        reader: what it says.
        writer: takes what we say.
        wants: the names of the keys that it was asked for.
    """

    def __init__(
        self,
        peer: Peer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wants: Sequence[str],
    ) -> None:
        self.peer = peer
        self.reader = reader
        self.writer = writer
        self.released = False
        """Whether the shim has said that nothing more comes, after it was told that we move."""
        self.told_to_move_at: float | None = None
        self.serves = False
        """Whether it only keeps the HTTP server open, which does not count as work."""
        self.asks_for_status = False
        """Whether it only asks for a status, which does not count as work either."""
        self._task = asyncio.current_task()
        self._wants = tuple(wants)
        self._traffic = Traffic(self._control)
        self._silent = False

    @property
    def running(self) -> int:
        """How many of its requests are being worked on."""
        if self.peer.role == MCP:
            return len(self._traffic.waiting)
        return 0 if self.serves or self.asks_for_status else 1

    async def serve_mcp(self, live: ReloadingEngine) -> None:
        """Speak MCP until the client leaves."""
        window_keys.set(self.peer.keys)  # every task of this connection inherits it
        project = project_folder(Path(self.peer.project))
        session = Session(project=project, name=self.peer.session, keys=self.peer.keys)
        async with messages(self.reader, self._send, self._traffic) as (read, write):
            await serve(live, session, read, write)

    def want(self, names: Sequence[str]) -> None:
        """Ask for the keys that a changed config names, if there are others among them."""
        if self.peer.role == MCP and set(names) != set(self._wants):
            self._wants = tuple(names)
            self._tell({"wants": list(names)})

    def tell_to_move(self, now: float) -> None:
        """Announce the shutdown, so that the client connects to another daemon."""
        self.told_to_move_at = now
        if self.peer.role == MCP:
            self._tell({"moved": True})

    def end(self) -> None:
        """End it now; its calls are cancelled. The shim says so to its client."""
        self._silent = True
        if self._task:
            self._task.cancel()

    async def close(self) -> None:
        """Close the connection; what was written already still reaches the client."""
        self.writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_CLOSE):
                await self.writer.wait_closed()
        self.writer.transport.abort()

    async def _send(self, data: bytes) -> None:
        if self._silent:
            return
        self.writer.write(data)
        with suppress(ConnectionError):  # the client is gone: its end of input will say so
            await self.writer.drain()

    def _tell(self, message: dict[str, Any]) -> None:
        self.writer.write(CONTROL + json.dumps(message).encode() + b"\n")

    def _control(self, line: bytes) -> None:
        with suppress(ValueError, RecursionError):
            match json.loads(line):
                case {"keys": dict(keys)}:
                    self.peer.take_keys(keys, self._wants)
                    self.log_refused()
                case {"moved": True}:
                    self.released = True
                case {"alive": True} if not self.writer.transport.get_write_buffer_size():
                    self._tell({"alive": True})  # one that does not read what it has need not hear

    def log_refused(self) -> None:
        """Name the variables whose content was not taken for a key."""
        if self.peer.refused:
            names = ", ".join(self.peer.refused)
            log.warning("session %s: no usable key is in %s", self.peer.session, names)
