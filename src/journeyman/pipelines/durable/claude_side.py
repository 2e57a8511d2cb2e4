"""Claude's side of a process: the gate to the API, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journeyman.pipelines.values import Reply
from journeyman.remote.coding import encode

if TYPE_CHECKING:
    from journeyman.config.models import Config
    from journeyman.pipelines.durable.stage import Stage
    from journeyman.pipelines.store.database import Database
    from journeyman.pipelines.store.values import Run


class ClaudeSide:
    """Asks Claude for the steps of pipelines.

    Args:
        config: the user's config.
        database: where spending is kept.
    """

    def __init__(self, config: Config, database: Database) -> None:
        self.absent = "not built yet"

    async def close(self) -> None:
        """Close the connections."""

    def spent_usd(self, run: str) -> float:
        """What a run has spent so far."""
        return 0.0

    async def ask(self, stage: Stage, run: Run, call: str, data: dict[str, Any]) -> Any:
        """Ask; returns a `Reply` as JSON."""
        del stage, run, call, data
        return encode(Reply("", ""))
