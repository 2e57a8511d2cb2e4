"""What a run has spent on the Claude API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeyman.pipelines.claude_api.budget import Purse

if TYPE_CHECKING:
    from journeyman.pipelines.claude_api.budget import Spend
    from journeyman.pipelines.store.database import Database


def spend_of(database: Database, run: str) -> Spend:
    """What a run has spent so far, in US dollars, and what may be lost."""
    return Purse(database.engine).spent(run)
