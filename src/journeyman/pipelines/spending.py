"""What a run has spent on the Claude API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeyman.pipelines.store.database import Database


def spent_usd(database: Database, run: str) -> float:
    """What a run has spent so far, in US dollars."""
    return 0.0
