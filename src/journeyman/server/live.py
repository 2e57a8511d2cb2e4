"""An engine that follows its config file: a change is taken up without a restart."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from journeyman.config.load import load_config
from journeyman.errors import JourneymanError
from journeyman.paths import PROJECT_CONFIG_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from journeyman.engine.engine import Engine

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


class LiveEngine:
    """Holds the engine; `problem` says why a changed config is not in use, empty if it is."""

    def __init__(self, engine: Engine, config_file: Path) -> None:
        self.engine = engine
        self.problem = ""
        self._file = config_file

    async def watch(self, project: Path, on_change: Callable[[], Awaitable[None]]) -> None:
        """Look at the config and the project's file for ever; tell when the tools changed."""
        files = (self._file, project / PROJECT_CONFIG_NAME)
        seen = [_fingerprint(path) for path in files]
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            now = [_fingerprint(path) for path in files]
            if now == seen:
                continue
            user_file_changed = now[0] != seen[0]
            seen = now
            try:
                if user_file_changed:
                    await self._reload()
                await on_change()
            except Exception:  # what goes wrong once must not end the watch for the session
                log.exception("a change of the config was not taken up")

    async def _reload(self) -> None:
        try:
            await self.engine.reconfigure(load_config().config)
        except JourneymanError as error:
            self.problem = str(error)
            log.warning("the changed config is not in use: %s", error)
        else:
            self.problem = ""


def _fingerprint(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
