"""Where Claude Code keeps its files. Measured on version 2.1.330."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Scope = Literal["user", "project", "local"]

CONFIG_DIR_VARIABLE = "CLAUDE_CONFIG_DIR"


@dataclass(frozen=True, slots=True)
class Places:
    """The client's files for one user and one project.

    `folder` is the client's own folder (`~/.claude`, or `CLAUDE_CONFIG_DIR`); `client_file` is
    where it keeps the servers of the scopes user and local.
    """

    folder: Path
    client_file: Path
    project: Path

    @property
    def project_file(self) -> Path:
        """The servers of the scope project, kept in the repository."""
        return self.project / ".mcp.json"

    @property
    def settings(self) -> dict[Scope, Path]:
        """The settings file of each scope."""
        return {
            "user": self.folder / "settings.json",
            "project": self.project / ".claude" / "settings.json",
            "local": self.project / ".claude" / "settings.local.json",
        }

    @property
    def agents(self) -> dict[Scope, Path]:
        """The folder of agent files of the scopes that have one."""
        return {"user": self.folder / "agents", "project": self.project / ".claude" / "agents"}

    @property
    def skills(self) -> dict[Scope, Path]:
        """The folder of skills of the scopes that have one; each skill is a folder in it."""
        return {"user": self.folder / "skills", "project": self.project / ".claude" / "skills"}

    @property
    def plugins(self) -> Path:
        """Where installed plugins and marketplaces are kept."""
        return self.folder / "plugins"


def places_here(project: Path, environ: Mapping[str, str] | None = None) -> Places:
    """Find the client's files as the client itself does.

    Args:
        project: the folder that the client is started in.
        environ: the environment; None: this process's.
    """
    environment = os.environ if environ is None else environ
    home = Path(environ["HOME"]) if environ and environ.get("HOME") else Path.home()
    if chosen := environment.get(CONFIG_DIR_VARIABLE):
        folder = Path(chosen).expanduser()
        return Places(folder, folder / ".claude.json", project)
    return Places(home / ".claude", home / ".claude.json", project)
