"""An engine that reloads its config file when it changes, without a restart."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from spadework.config.loader import load_config
from spadework.errors import SpadeworkError
from spadework.mcp.tasks import TaskStore
from spadework.util.paths import PROJECT_CONFIG_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from spadework.engine.engine import Engine

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


class ReloadingEngine:
    """Holds the engine; `problem` says why a changed config is not in use, empty if it is.

    One task of the process runs `follow`; each connection runs `watch`.
    """

    def __init__(self, engine: Engine, config_file: Path) -> None:
        self.engine = engine
        self.tasks = TaskStore()
        self.problem = ""
        self.config_file = config_file
        self.changes = 0
        """How often the config file has changed."""
        self._seen = _fingerprint(config_file)

    async def follow(self) -> None:
        """Look at the config file for ever, and take up what changed."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            await self.look()

    async def look(self) -> None:
        """Take up what changed in the config file since the last look."""
        now = _fingerprint(self.config_file)
        if now == self._seen:
            return
        self._seen = now
        try:
            await self._reload()
        except Exception:  # what goes wrong once must not end the watch for all sessions
            log.exception("a change of the config was not taken up")
        self.changes += 1

    async def watch(self, project: Path, on_change: Callable[[], Awaitable[None]]) -> None:
        """Look at a session's project file for ever; tell of its changes and of the engine's."""
        file = project / PROJECT_CONFIG_NAME
        seen = _fingerprint(file), self.changes
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            now = _fingerprint(file), self.changes
            if now == seen:
                continue
            seen = now
            try:
                await on_change()
            except Exception:  # as above
                log.exception("a client was not told that the tools changed")

    async def _reload(self) -> None:
        try:
            await self.engine.reconfigure(load_config().config)
        except SpadeworkError as error:
            self.problem = str(error)
            self.engine.config_problem = self.problem
            log.warning("the changed config is not in use: %s", error)
        else:
            self.problem = self.engine.config_problem = ""


def _fingerprint(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
