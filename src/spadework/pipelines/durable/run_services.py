"""What the calls of a run need of their process: config, tools, the runs' database, privacy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.config.models import EMBEDDED
from spadework.engine.job import Session
from spadework.engine.tools import find_tool
from spadework.pipelines.private_references import private_reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.config.models import Config
    from spadework.engine.tools import Tool
    from spadework.pipelines.durable.claude_access import ClaudeSide
    from spadework.pipelines.store.records import Run
    from spadework.pipelines.store.runs import Runs

SESSION = "pipeline"


class RunServices:
    """Answers what a call asks about its run.

    Args:
        config: the user's config.
        runs: where runs are kept.
        claude: asks Claude, or says why it cannot be asked.
    """

    def __init__(self, config: Config, runs: Runs, claude: ClaudeSide) -> None:
        self.config = config
        self.runs = runs
        self._claude = claude
        self._told: set[tuple[str, str]] = set()

    @property
    def backends(self) -> list[str]:
        """The names of the backends that this process can ask."""
        return [*self.config.backends, EMBEDDED]

    def find_tool(self, name: str, run: Run) -> Tool:
        """Find a tool by name.

        Raises:
            ArgumentError: there is none.
        """
        return find_tool(name, Path(run.options.project), self.config)

    def why_no_claude(self, run: Run) -> str:
        """Say why a run cannot ask Claude; empty if it can."""
        return self._claude.why_shut(run)

    async def find_private(self, references: Sequence[str], run: Run) -> str | None:
        """Find one of the references that leads to something private, as `private_reference` does.

        Raises:
            RunsUnavailable: the database cannot be used.
        """
        outs = await asyncio.to_thread(self.runs.private_outs)
        return await private_reference(references, self.session_of(run), self.config, outs)

    async def tell_once(self, run: str, text: str) -> None:
        """Add a line to a run's log, once in this process."""
        if (run, text) not in self._told:
            self._told.add((run, text))
            await asyncio.to_thread(self.runs.tell, run, text)

    def session_of(self, run: Run) -> Session:
        """Who a run's delegations are made for."""
        options = run.options
        roots = tuple(Path(root) for root in options.roots)
        return Session(Path(options.project), roots, SESSION, run=run.id)
