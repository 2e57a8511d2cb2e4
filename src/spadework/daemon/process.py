"""The daemon: it owns the engine, and serves whoever connects until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from spadework.config.api_keys import wanted_names
from spadework.config.loader import load_config
from spadework.daemon.call_handler import answer
from spadework.daemon.client_connection import ClientConnection
from spadework.daemon.handshake import HandshakeRefused, accept_peer, refusal
from spadework.daemon.http_serving import open_configured
from spadework.daemon.watchdog import end_on_signal, prove_that_the_loop_turns
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
"""The visit on whose behalf a task runs."""

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_STEPS = 0.02
_SECONDS_TO_MOVE = 5.0
_SECONDS_TO_END = 10.0
_SECONDS_OF_A_THREAD = 0.001
"""How long the event loop waits for a thread that computes; Python's own 5 ms add up."""
MOST_CONNECTIONS = 512
"""Those that have not greeted yet included. Room for the command line is kept free of windows."""
MOST_OF_A_PROCESS = 256
KEPT_FOR_CALLS = 32


def serve(holding: InstanceLock, *, log: str, stay: bool) -> None:
    """Load the engine, and serve.

    Args:
        holding: the lock and the socket.
        log: the file that the log goes to, to be shown.
        stay: do not stop when idle.

    Raises:
        ConfigError: the config is wrong.
    """
    loaded = load_config()
    live = ReloadingEngine(Engine.from_config(loaded.config), loaded.path)
    gc.freeze()  # what is here now stays
    gc.enable()
    sys.setswitchinterval(_SECONDS_OF_A_THREAD)
    asyncio.run(Daemon(live, holding, log=log, stay=stay).serve())


class Daemon:
    """What is shared by all connections.

    Args:
        live: the engine.
        holding: the lock and the socket.
        log: the file that the log goes to, to be shown.
        stay: do not stop when idle.
    """

    def __init__(
        self, live: ReloadingEngine, holding: InstanceLock, *, log: str, stay: bool
    ) -> None:
        self.live = live
        self.started = time.time()
        self._holding = holding
        self._log = log
        self._stay = stay
        self._visits: dict[asyncio.Task[Any], ClientConnection] = {}
        self._connected = 0
        self._listener: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self._idle_since = time.monotonic()
        self._changes_seen = 0
        self._superseded = False
        self.http: list[str] = []
        """Where it listens for other machines, or why it does not."""
        self._face: HttpServer | None = None
        self._moving: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """How many requests are being worked on, the one that asks this left out."""
        here = _here.get()
        visits = sum(one.running for one in self._visits.values() if one is not here)
        return visits + self.live.tasks.running

    def describe(self) -> dict[str, Any]:
        """Say what `spadework daemon status` shows: plain JSON, and nothing of any key."""
        return {
            "version": own_version(),
            "pid": os.getpid(),
            "started": self.started,
            "address": self._holding.address,
            "config": str(self.live.config_file),
            "problem": self.live.problem,
            "http": ", ".join(self.http),
            "log": self._log,
            "running": self.running,
            "superseded": self._superseded,
            "connections": [one.visitor.describe() for one in self._visits.values()],
        }

    def keeps_face_open(self) -> None:
        """Note that the visit of this task serves over HTTP, for as long as it lasts."""
        if here := _here.get():
            here.serves = True

    def stop(self) -> None:
        """End gracefully: calls are cancelled, rows written, the embedded engine ended."""
        self._stopping.set()

    async def serve(self) -> None:
        """Serve visitors until `stop`."""
        loop = asyncio.get_running_loop()
        end_on_signal(loop, self.stop)
        async with self.live.engine:
            self._listener = await asyncio.start_server(
                self._welcome, sock=self._holding.socket, limit=LONGEST_HELLO
            )
            chores = [
                asyncio.create_task(self.live.follow()),
                asyncio.create_task(self._look_after()),
                asyncio.create_task(prove_that_the_loop_turns()),
            ]
            log.info("version %s listens on %s", own_version(), self._holding.address)
            self._face = await open_configured(self)
            try:
                await self._stopping.wait()
            finally:
                self._retire()
                if self._face:
                    await self._face.stop()
                if self._moving:
                    chores.append(self._moving)
                for chore in chores:
                    chore.cancel()
                await self._end_visits()
                await self.live.tasks.close()
        log.info("stopped")

    def _retire(self) -> None:
        """Hear no new visitors, and make room for another daemon."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._holding.give_up()

    async def _end_visits(self) -> None:
        for visit in self._visits.values():
            visit.end()
        if self._visits:
            await asyncio.wait(self._visits, timeout=_SECONDS_TO_END)

    # One visitor

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connected += 1
        try:
            await self._admit(reader, writer)
        finally:
            self._connected -= 1

    def _refuse_excess(self, visitor: Peer | None = None) -> None:
        """See that one more connection is not too many.

        Raises:
            Refused: it is.
        """
        if self._connected > MOST_CONNECTIONS:
            raise HandshakeRefused(
                f"the daemon has {MOST_CONNECTIONS} connections already", _CLOSE_SOME
            )
        if visitor is None:
            return
        if visitor.role == MCP and self._connected > MOST_CONNECTIONS - KEPT_FOR_CALLS:
            most = MOST_CONNECTIONS - KEPT_FOR_CALLS
            raise HandshakeRefused(f"the daemon serves {most} windows already", _CLOSE_SOME)
        own = sum(one.visitor.process == visitor.process for one in self._visits.values())
        if visitor.process and own >= MOST_OF_A_PROCESS:
            said = f"process {visitor.process} has {own} connections to the daemon already"
            raise HandshakeRefused(said, "close some of them first")

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wants = wanted_names(self.live.engine.config)
        try:
            self._refuse_excess()
            visitor = await accept_peer(
                reader, writer, wants, self._holding.token, self._refuse_excess
            )
        except HandshakeRefused as why:
            log.warning("a visitor was sent away: %s", why)
            writer.write(refusal(str(why), why.hint))
            writer.close()
            return
        except (OSError, TimeoutError):
            writer.close()
            return
        await self._receive(ClientConnection(visitor, reader, writer, wants))

    async def _receive(self, visit: ClientConnection) -> None:
        task = asyncio.current_task()
        if task is None:  # for the type checker
            return
        self._visits[task] = visit
        _here.set(visit)
        visit.log_refused()
        if is_newer(visit.visitor.version, own_version()) and not self._superseded:
            log.info("version %s is here: this daemon ends when idle", visit.visitor.version)
            self._superseded = True
            asyncio.get_running_loop().call_soon(self._move_if_idle)
        try:
            if visit.visitor.role == CALL:
                who = f"process {visit.visitor.process}"
                await answer(self, visit.visitor.keys, visit.reader, visit.writer, who)
            else:
                await visit.serve_mcp(self.live)
        except asyncio.CancelledError:
            if not self._stopping.is_set() and not self._moving:
                raise
        except Exception:  # one visitor must not end the others
            log.exception("session %s was cut off", visit.visitor.session)
        finally:
            del self._visits[task]
            self._idle_since = time.monotonic()
            await visit.close()

    # What has to be looked after

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            if self._listener and not self._holding.is_ours():
                log.warning("%s was taken away: this daemon ends when idle", self._holding.address)
                self._retire()
            self._ask_for_new_keys()
            self._move_if_idle()
            self._stop_if_idle()

    def _ask_for_new_keys(self) -> None:
        if self._changes_seen == self.live.changes:
            return
        self._changes_seen = self.live.changes
        wants = wanted_names(self.live.engine.config)
        for visit in self._visits.values():
            visit.want(wants)

    def _stop_if_idle(self) -> None:
        seconds = self.live.engine.config.daemon.idle_stop
        if self._stay or not seconds or self._visits or self._face:
            return
        if self.live.tasks.running:
            self._idle_since = time.monotonic()
            return
        if time.monotonic() - self._idle_since >= seconds:
            log.info("nobody was here for %g s", seconds)
            self.stop()

    def _move_if_idle(self) -> None:
        wanted = self._superseded or self._listener is None
        if wanted and not self._moving and not self._stopping.is_set() and not self._busy():
            self._moving = asyncio.create_task(self._move())

    def _busy(self) -> bool:
        if self.live.tasks.running:
            return True
        return self._busy_over_http() or any(visit.running for visit in self._visits.values())

    def _busy_over_http(self) -> bool:
        has_face = self._face is not None or any(one.serves for one in self._visits.values())
        return has_face and self.live.engine.running > 0

    async def _move(self) -> None:
        """Send every visitor to another daemon, and end.

        What a visitor has said before it agrees is still answered.
        """
        self._retire()
        while self._visits:
            now = time.monotonic()
            for visit in self._visits.values():
                late = visit.told_to_move_at and now - visit.told_to_move_at > _SECONDS_TO_MOVE
                if visit.told_to_move_at is None:
                    if visit.serves and self._busy_over_http():
                        continue
                    visit.tell_to_move(now)
                    if visit.serves:  # it hears by the end of its connection that it must move
                        visit.end()
                elif (visit.released or late) and not visit.running:
                    visit.end()
            await asyncio.sleep(_SECONDS_BETWEEN_STEPS)
        log.info("all have moved on")
        self.stop()
