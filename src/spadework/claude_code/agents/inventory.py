"""Everything about the agents of one user and project, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.claude_code.agents.agent_files import read_agents, read_skills
from spadework.claude_code.agents.agent_models import read_setup
from spadework.claude_code.agents.lint import all_findings
from spadework.claude_code.claude_client import claude_paths
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from spadework.claude_code.agents.agent_models import Setup
    from spadework.claude_code.agents.definitions import Agent
    from spadework.claude_code.claude_client import ClaudePaths
    from spadework.util.finding import Finding


@dataclass(frozen=True, slots=True)
class AgentInventory:
    """Where the files are, the agents by name, and what decides about their models."""

    places: ClaudePaths
    agents: list[Agent]
    setup: Setup

    def findings(self) -> list[Finding]:
        """Apply every rule to agents and skills."""
        return all_findings(self.agents, read_skills(self.places), self.setup)


def agent_inventory() -> AgentInventory:
    """Read the agents as the client would that is started in the current folder.

    Raises:
        ArgumentError: that folder was deleted.
    """
    try:
        places = claude_paths(Path.cwd())
    except FileNotFoundError:
        raise ArgumentError(
            "the current folder does not exist any more", hint="go to a folder that does"
        ) from None
    return AgentInventory(places, read_agents(places), read_setup(places, os.environ))
