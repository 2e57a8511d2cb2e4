"""The engine for a caller: the daemon's if one is running, else one in this process."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from spadework.engine.job import Listener
from spadework.engine.model_inventory import ModelInventory
from spadework.engine.tools import all_tools, find_tool, local_only_tools
from spadework.errors import DaemonError
from spadework.remote.client import connect
from spadework.remote.messages import load_outcome, session_data
from spadework.shim.rendezvous import NoEndpoint, endpoint
from spadework.util.serialization import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from spadework.config.models import Config
    from spadework.engine.engine import Engine
    from spadework.engine.job import Job, Outcome, Session
    from spadework.engine.tools import Tool
    from spadework.remote.client import CallConnection

log = logging.getLogger(__name__)

_MOST_CONNECTING = 8
"""Connections opened at once: few may wait until the daemon takes notice of them."""
_MOST_CALLS = 200
"""Calls at once: the daemon takes 256 connections of one process. The others wait here."""
_START = "`spadework daemon start` starts it"


class RemoteEngine:
    """Delegates by the daemon, so that one queue serves all; works without one too.

    The daemon is looked for at each call. If none runs then, an engine in this process does it.

    Args:
        config: the user's config.
        config_file: where that was read, as the caller named it; None for the usual one.
        daemon: None: if it runs; False: never; True: it must run.
    """

    def __init__(
        self, config: Config, config_file: Path | None = None, *, daemon: bool | None = None
    ) -> None:
        self.config = config
        self._config_file = config_file
        self._daemon = daemon
        self._own: Engine | None = None
        self._connecting = asyncio.Semaphore(_MOST_CONNECTING)
        self._calling = asyncio.Semaphore(_MOST_CALLS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the engine of this process, if there is one."""
        if self._own:
            await self._own.close()

    def tools(self, project: Path) -> dict[str, Tool]:
        """Every tool of a session by name, as `Engine.tools` gives them."""
        return all_tools(project, self.config)

    def find_tool(self, name: str, project: Path) -> Tool:
        """Find a tool by name, as `Engine.find_tool` does."""
        return find_tool(name, project, self.config)

    async def delegate(
        self, job: Job, session: Session, listener: Listener | None = None
    ) -> Outcome:
        """Do one job, or hand it back, as `Engine.delegate` does.

        Raises:
            DaemonError: the daemon must run and does not, or it ended in mid-call.
            SpadeworkError: whatever else `Engine.delegate` raises.
        """
        async with self._calling:
            return await self._delegate(job, session, listener)

    async def _delegate(self, job: Job, session: Session, listener: Listener | None) -> Outcome:
        line = await self._line()
        if line is None:
            return await self._in_process().delegate(job, session, listener)
        request = {
            "call": "delegate",
            "job": encode(job),
            "session": session_data(session),
            "tells": _wanted(listener),
        }
        return await line.call(request, load_outcome, listener)

    async def survey(self, tools: Mapping[str, Tool]) -> ModelInventory:
        """List every model of every backend now, as `Engine.survey` does.

        Raises:
            DaemonError: the daemon must run and does not, or it ended in mid-call.
        """
        line = await self._line()
        if line is None:
            return await self._in_process().survey(tools)
        named = {name: list(tool.config.models) for name, tool in tools.items()}
        closed = list(local_only_tools(tools))
        request = {"call": "survey", "tools": named, "local_only": closed}
        return await line.call(request, lambda data: decode(ModelInventory, data, "survey"))

    async def _line(self) -> CallConnection | None:
        """Reach the daemon; None where the work is to be done here."""
        if self._daemon is False:
            return None
        try:
            place = endpoint(str(self._config_file) if self._config_file else None)
            async with self._connecting:
                line = await connect(place)
        except (DaemonError, NoEndpoint) as reason:
            if self._daemon:
                raise reason if isinstance(reason, DaemonError) else _none_runs(reason) from None
            log.warning("note: working without the daemon: %s", reason)
            return None
        if line is None and self._daemon:
            raise _none_runs()
        return line

    def _in_process(self) -> Engine:
        from spadework.engine.engine import Engine  # noqa: PLC0415 - heavy

        if self._own is None:
            self._own = Engine.from_config(self.config)
        return self._own


def _none_runs(reason: NoEndpoint | None = None) -> DaemonError:
    return DaemonError(f"no daemon runs{f': {reason}' if reason else ''}", hint=_START)


def _wanted(listener: Listener | None) -> list[str]:
    """Name what the caller listens to; a line for every token that nobody reads is waste."""
    deaf = Listener()
    if listener is None:
        return []
    heard = {"progress": listener.progress, "text": listener.text, "away": listener.away}
    return [name for name, hear in heard.items() if hear is not getattr(deaf, name)]
