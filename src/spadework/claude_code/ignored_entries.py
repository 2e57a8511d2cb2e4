"""Finds the server where Claude Code does not look for it: `mcpServers` in a settings file.

Version 2.1.330 reads no servers from settings files, though older write-ups say so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.claude_code.client_files import read_content
from spadework.claude_code.file_edits import Edit, look
from spadework.claude_code.server_entries import is_ours
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from spadework.claude_code.claude_paths import Places, Scope


@dataclass(frozen=True, slots=True)
class IgnoredEntry:
    """An entry that no client reads: its location and content."""

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


def ignored_entries(places: Places) -> tuple[list[IgnoredEntry], list[str]]:
    """Find the entries of ours in the settings files of every scope.

    Returns:
        The entries, and what is wrong with a file that cannot be read.
    """
    found: list[IgnoredEntry] = []
    problems: list[str] = []
    seen: set[str] = set()
    for scope, file in places.settings.items():
        if (real := os.path.realpath(file)) in seen:
            continue  # in the home folder itself, the user's file is the project's too
        seen.add(real)
        try:
            found += _in(scope, file)
        except ConfigError as problem:
            problems.append(f"{problem}; Claude Code cannot read it either")
    return found, problems


def _in(scope: Scope, file: Path) -> list[IgnoredEntry]:
    whole = Edit(file, "json", "remove", ("mcpServers",))
    servers = look(read_content(file).text, whole).value
    if not isinstance(servers, dict):
        return []
    return [
        IgnoredEntry(scope, Edit(file, "json", "remove", ("mcpServers", name)), entry)
        for name, entry in servers.items()
        if is_ours(name, entry)
    ]
