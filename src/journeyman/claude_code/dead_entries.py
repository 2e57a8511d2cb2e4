"""Finds the server where Claude Code does not look for it: `mcpServers` in a settings file.

Version 2.1.330 reads no servers from settings files, though older write-ups say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journeyman.claude_code.client_files import read_content
from journeyman.claude_code.edits import Edit, read
from journeyman.claude_code.registration import is_ours

if TYPE_CHECKING:
    from pathlib import Path

    from journeyman.claude_code.places import Places, Scope


@dataclass(frozen=True, slots=True)
class DeadEntry:
    """An entry that no client reads: where it stands, and what it says."""

    scope: Scope
    removal: Edit
    entry: dict[str, Any]

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.removal.file

    @property
    def name(self) -> str:
        """The name that it has there."""
        return self.removal.keys[-1]


def dead_entries(places: Places) -> list[DeadEntry]:
    """Find the entries of ours in the settings files of every scope.

    Raises:
        ConfigError: a settings file cannot be read as the client reads it.
    """
    found = []
    for scope, file in places.settings.items():
        whole = Edit(file, "json", "remove", ("mcpServers",))
        servers = read(read_content(file).text, whole).get("mcpServers")
        for name, entry in servers.items() if isinstance(servers, dict) else ():
            if is_ours(name, entry):
                removal = Edit(file, "json", "remove", ("mcpServers", name))
                found.append(DeadEntry(scope, removal, entry))
    return found
