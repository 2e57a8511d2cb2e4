"""Claude Code on this machine: its program and version, where it keeps its files, what it says.

Measured on version 2.1.330.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_NAME = "spadework"
"""The name of our server in the client's files."""
NEWEST_KNOWN = "2.1.330"
"""The newest version that Spadework was tried with."""
OLDEST_KNOWN = "2.1.197"

_SECONDS = 15.0
_WORD_SECONDS = 60
_NUMBER = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")
_STATUS = re.compile(r"^[^\S\n]*+Status:[^\S\n]*+(.+)$", re.MULTILINE)
_INSTALLED = (".local/bin/claude", ".claude/local/claude")
_QUIET = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


@dataclass(frozen=True, slots=True)
class Client:
    """The client's program; `version` is empty where it does not tell."""

    program: Path
    version: str


def find_program(environ: Mapping[str, str]) -> Path | None:
    """Find the program on the path, or where its installers put it."""
    if found := shutil.which("claude", path=environ.get("PATH", "")):
        return Path(found)
    home = Path(environ.get("HOME") or Path.home())
    return next((home / name for name in _INSTALLED if os.access(home / name, os.X_OK)), None)


def find_client(environ: Mapping[str, str]) -> Client | None:
    """Find the client and ask for its version.

    Args:
        environ: the environment in which it is looked for and asked.
    """
    program = find_program(environ)
    if program is None:
        return None
    # Asking must not change anything.
    told = _said([str(program), "--version"], None, {**environ, **_QUIET}, _SECONDS)
    found = _NUMBER.search(told)
    return Client(program, found[0] if found else "")


@dataclass(frozen=True, slots=True)
class ClientWord:
    """What the client says of the entry; `status` is its own word, such as "✔ Connected"."""

    version: str
    status: str

    @property
    def connected(self) -> bool:
        """Whether it has connected."""
        return "Connected" in self.status


def client_word(entry: Mapping[str, Any], environ: Mapping[str, str]) -> ClientWord | None:
    """Let the real client connect to the entry, in a config folder of its own that is removed.

    Its own files are left alone: at each start it may write them anew. Nothing of the user's
    login is there, and none is needed.

    Returns:
        What it says; None if the `claude` command is not on PATH.
    """
    program = shutil.which("claude", path=environ.get("PATH"))
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="spadework-setup-") as folder:
        file = Path(folder) / ".claude.json"
        file.write_text(json.dumps({"mcpServers": {SERVER_NAME: entry}}), encoding="utf-8")
        alone = dict(environ) | {
            CONFIG_DIR_VARIABLE: folder,
            "XDG_CACHE_HOME": folder,
            **_QUIET,
        }
        version = _said([program, "--version"], folder, alone, _WORD_SECONDS)
        told = _said([program, "mcp", "get", SERVER_NAME], folder, alone, _WORD_SECONDS)
    status = _STATUS.search(told)
    number = _NUMBER.search(version)
    return ClientWord(number[0] if number else "", status[1].strip() if status else "no status")


def _said(
    command: list[str], folder: str | None, environ: Mapping[str, str], seconds: float
) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the client's own command
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") + os.linesep + done.stderr.decode(errors="replace")


Scope = Literal["user", "project", "local"]

CONFIG_DIR_VARIABLE = "CLAUDE_CONFIG_DIR"


@dataclass(frozen=True, slots=True)
class ClaudePaths:
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


def claude_paths(project: Path, environ: Mapping[str, str] | None = None) -> ClaudePaths:
    """Find the client's files as the client itself does.

    Args:
        project: the folder that the client is started in.
        environ: the environment; None: this process's.
    """
    environment = os.environ if environ is None else environ
    home = Path(environ["HOME"]) if environ and environ.get("HOME") else Path.home()
    if chosen := environment.get(CONFIG_DIR_VARIABLE):
        folder = Path(chosen).expanduser()
        return ClaudePaths(folder, folder / ".claude.json", project)
    return ClaudePaths(home / ".claude", home / ".claude.json", project)
