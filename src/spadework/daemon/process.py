"""The daemon: owns the engine, and serves its clients until it receives a stop request."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from spadework.backends.registry import all_kinds
from spadework.config.api_keys import wanted_names
from spadework.config.loader import load_config
from spadework.daemon.call_handler import answer
from spadework.daemon.client_connection import ClientConnection
from spadework.daemon.daemon_service import DaemonStatus
from spadework.daemon.handshake import HandshakeRefused, accept_peer, refusal
from spadework.daemon.http_serving import open_configured
from spadework.daemon.watchdog import end_on_signal, feed_watchdog
from spadework.engine.engine import Engine
from spadework.mcp import mcp_server  # noqa: F401 - now, so that all modules are of one version
from spadework.mcp.reloading_engine import ReloadingEngine
from spadework.shim.rendezvous import CALL, LONGEST_HELLO, MCP, is_newer, own_version

if TYPE_CHECKING:
    from spadework.daemon.handshake import Peer
    from spadework.daemon.instance_lock import InstanceLock
    from spadework.mcp.http.http_server import HttpServer

log = logging.getLogger(__name__)

_CLOSE_SOME = "close windows, or end the program that opens them"
_here: ContextVar[ClientConnection | None] = ContextVar("_here", default=None)
"""The connection on whose behalf a task runs."""

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_STEPS = 0.02
_SECONDS_TO_MOVE = 5.0
_SECONDS_TO_END = 10.0
_SECONDS_OF_A_THREAD = 0.001
"""How long the event loop waits for a thread that computes; Python's own 5 ms add up."""
MOST_CONNECTIONS = 512
"""Connections in their handshake count. Room for the command line is kept free of windows."""
MOST_OF_A_PROCESS = 256
KEPT_FOR_CALLS = 32


def serve(instance_lock: InstanceLock, *, log: str, stay: bool) -> None:
    """Load the engine, and serve.

    Args:
        instance_lock: the lock and the socket.
        log: the file that the log goes to, to be shown.
        stay: do not stop when idle.

    Raises:
        ConfigError: the config is wrong.
    """
    loaded = load_config()
    all_kinds()  # now too, though the config may name a kind only later
    live = ReloadingEngine(Engine.from_config(loaded.config), loaded.path)
    gc.freeze()  # what is here now stays
    gc.enable()
    sys.setswitchinterval(_SECONDS_OF_A_THREAD)
    asyncio.run(Daemon(live, instance_lock, log=log, stay=stay).serve())


class Daemon:
    """What is shared by all connections.

    Args:
        live: the engine.
        instance_lock: the lock and the socket.
        log: the file that the log goes to, to be shown.
        stay: do not stop when idle.
    """

    def __init__(
        self, live: ReloadingEngine, instance_lock: InstanceLock, *, log: str, stay: bool
    ) -> None:
        self.live = live
        self.started = time.time()
        self._instance_lock = instance_lock
        self._log = log
        self._stay = stay
        self._connections: dict[asyncio.Task[Any], ClientConnection] = {}
        self._connected = 0
        self._listener: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self._idle_since = time.monotonic()
        self._changes_seen = 0
        self._superseded = False
        self.http: list[str] = []
        """Where it listens for other machines, or why it does not."""
        self._http_server: HttpServer | None = None
        self._moving: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """How many requests are being worked on, the one that asks this left out."""
        here = _here.get()
        running = sum(one.running for one in self._connections.values() if one is not here)
        return running + self.live.tasks.running

    def describe(self) -> DaemonStatus:
        """Return what `spadework daemon status` shows."""
        return DaemonStatus(
            version=own_version(),
            pid=os.getpid(),
            started=self.started,
            address=self._instance_lock.address,
            config=str(self.live.config_file),
            problem=self.live.problem,
            http=", ".join(self.http),
            log=self._log,
            running=self.running,
            superseded=self._superseded,
            connections=tuple(one.peer.describe() for one in self._connections.values()),
        )

    def mark_as_http_host(self) -> None:
        """Note that the connection of this task serves over HTTP, for as long as it lasts."""
        if here := _here.get():
            here.serves = True

    def mark_as_status_query(self) -> None:
        """Record that the connection of this task only asks for a status."""
        if here := _here.get():
            here.asks_for_status = True

    def stop(self) -> None:
        """End gracefully: calls are cancelled, rows written, the embedded engine ended."""
        self._stopping.set()

    async def serve(self) -> None:
        """Serve clients until `stop`."""
        loop = asyncio.get_running_loop()
        end_on_signal(loop, self.stop)
        async with self.live.engine:
            self._listener = await asyncio.start_server(
                self._on_connection, sock=self._instance_lock.socket, limit=LONGEST_HELLO
            )
            chores = [
                asyncio.create_task(self.live.follow()),
                asyncio.create_task(self._look_after()),
                asyncio.create_task(feed_watchdog()),
            ]
            log.info("version %s listens on %s", own_version(), self._instance_lock.address)
            self._http_server = await open_configured(self)
            try:
                await self._stopping.wait()
            finally:
                self._retire()
                if self._http_server:
                    await self._http_server.stop()
                if self._moving:
                    chores.append(self._moving)
                for chore in chores:
                    chore.cancel()
                await self._end_connections()
                await self.live.tasks.close()
        log.info("stopped")

    def _retire(self) -> None:
        """Accept no new connections, and make room for another daemon."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._instance_lock.release()

    async def _end_connections(self) -> None:
        for connection in self._connections.values():
            connection.end()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_SECONDS_TO_END)

    # One connection

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connected += 1
        try:
            await self._admit(reader, writer)
        finally:
            self._connected -= 1

    def _refuse_excess(self, peer: Peer | None = None) -> None:
        """See that one more connection is not too many.

        Raises:
            Refused: it is.
        """
        if self._connected > MOST_CONNECTIONS:
            raise HandshakeRefused(
                f"the daemon has {MOST_CONNECTIONS} connections already", _CLOSE_SOME
            )
        if peer is None:
            return
        if peer.role == MCP and self._connected > MOST_CONNECTIONS - KEPT_FOR_CALLS:
            most = MOST_CONNECTIONS - KEPT_FOR_CALLS
            raise HandshakeRefused(f"the daemon serves {most} windows already", _CLOSE_SOME)
        own = sum(one.peer.process == peer.process for one in self._connections.values())
        if peer.process and own >= MOST_OF_A_PROCESS:
            said = f"process {peer.process} has {own} connections to the daemon already"
            raise HandshakeRefused(said, "close some of them first")

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wants = wanted_names(self.live.engine.config)
        try:
            self._refuse_excess()
            peer = await accept_peer(reader, writer, wants, self._refuse_excess)
        except HandshakeRefused as why:
            log.warning("a connection was rejected: %s", why)
            writer.write(refusal(str(why), why.hint))
            writer.close()
            return
        except (OSError, TimeoutError):
            writer.close()
            return
        await self._receive(ClientConnection(peer, reader, writer, wants))

    async def _receive(self, connection: ClientConnection) -> None:
        task = asyncio.current_task()
        if task is None:  # for the type checker
            return
        self._connections[task] = connection
        _here.set(connection)
        connection.log_refused()
        if is_newer(connection.peer.version, own_version()) and not self._superseded:
            log.info("version %s is here: this daemon ends when idle", connection.peer.version)
            self._superseded = True
            asyncio.get_running_loop().call_soon(self._move_if_idle)
        try:
            if connection.peer.role == CALL:
                who = f"process {connection.peer.process}"
                await answer(self, connection.peer.keys, connection.reader, connection.writer, who)
            else:
                await connection.serve_mcp(self.live)
        except asyncio.CancelledError:
            if not self._stopping.is_set() and not self._moving:
                raise
        except Exception:  # one connection must not end the others
            log.exception("session %s was cut off", connection.peer.session)
        finally:
            del self._connections[task]
            self._idle_since = time.monotonic()
            await connection.close()

    # What has to be looked after

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            if self._listener and not self._instance_lock.is_ours():
                log.warning(
                    "%s was taken away: this daemon ends when idle", self._instance_lock.address
                )
                self._retire()
            self._ask_for_new_keys()
            self._move_if_idle()
            self._stop_if_idle()

    def _ask_for_new_keys(self) -> None:
        if self._changes_seen == self.live.changes:
            return
        self._changes_seen = self.live.changes
        wants = wanted_names(self.live.engine.config)
        for connection in self._connections.values():
            connection.want(wants)

    def _stop_if_idle(self) -> None:
        seconds = self.live.engine.config.daemon.idle_stop
        if self._stay or not seconds or self._connections or self._http_server:
            return
        if self.live.tasks.running:
            self._idle_since = time.monotonic()
            return
        if time.monotonic() - self._idle_since >= seconds:
            log.info("no connections for %g s", seconds)
            self.stop()

    def _move_if_idle(self) -> None:
        wanted = self._superseded or self._listener is None
        if wanted and not self._moving and not self._stopping.is_set() and not self._busy():
            self._moving = asyncio.create_task(self._move())

    def _busy(self) -> bool:
        if self.live.tasks.running:
            return True
        return self._busy_over_http() or any(
            connection.running for connection in self._connections.values()
        )

    def _busy_over_http(self) -> bool:
        has_http_server = self._http_server is not None or any(
            one.serves for one in self._connections.values()
        )
        return has_http_server and self.live.engine.running > 0

    async def _move(self) -> None:
        """Send every client to another daemon, and end.

        What a client sends before it agrees is still answered.
        """
        self._retire()
        while self._connections:
            now = time.monotonic()
            for connection in self._connections.values():
                late = (
                    connection.told_to_move_at
                    and now - connection.told_to_move_at > _SECONDS_TO_MOVE
                )
                if connection.told_to_move_at is None:
                    if connection.serves and self._busy_over_http():
                        continue
                    connection.tell_to_move(now)
                    if connection.serves:  # the closed connection tells it to move
                        connection.end()
                elif (connection.released or late) and not connection.running:
                    connection.end()
            await asyncio.sleep(_SECONDS_BETWEEN_STEPS)
        log.info("all have moved on")
        self.stop()
