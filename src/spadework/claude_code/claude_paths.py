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
    def project_key(self) -> str:
        """The name of the project in `client_file`: the main folder of its git repository."""
        return _main_folder(self.project.resolve()).as_posix()

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


def project_folder(start: Path) -> Path:
    """Find the project that a folder belongs to: its git working tree, else the folder itself."""
    folder = start.resolve()
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _main_folder(project: Path) -> Path:
    """Follow a linked working tree to the main one: the client keeps one entry for both."""
    tree = project_folder(project)
    link = tree / ".git"
    if not link.is_file():
        return tree
    told = link.read_text("utf-8", "replace").strip()
    git = (tree / told.removeprefix("gitdir:").strip()).resolve()
    common = git / "commondir"
    if not common.is_file():
        return tree  # a submodule is a project of its own
    shared = (git / common.read_text("utf-8", "replace").strip()).resolve()
    return shared.parent if shared.name == ".git" else tree


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
