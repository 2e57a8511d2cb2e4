"""A user's home with the client's files in it, and commands run there as a shell runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "2.1.330"
SERVER = {"type": "stdio", "command": sys.executable, "args": ["-m", "spadework", "mcp"]}


class ClientHome:
    """A home, a project in it, and an environment with nothing else of this machine's."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.home = folder / "home"
        self.project = self.home / "project"
        self.programs = folder / "programs"
        for made in (self.project, self.programs):
            made.mkdir(parents=True)
        self.config = self.home / "config.toml"
        self.environ = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self.programs), "/usr/bin", "/bin"]),
            "SPADEWORK_CONFIG": str(self.config),
            "SPADEWORK_DATA": str(self.home / "data"),
            "XDG_RUNTIME_DIR": str(runtime),
            "PYTHONWARNINGS": "error",
        }

    def install_client(self, version: str = VERSION) -> None:
        """Put a program there that knows its version."""
        program = self.programs / "claude"
        program.write_text(f'#!/bin/sh\necho "{version} (Claude Code)"\n')
        program.chmod(0o755)

    def write(self, name: str, content: Any) -> Path:
        """Write a file of the home: text, or a value as JSON."""
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        return file

    def register(self, **servers: Any) -> None:
        """Register servers in the scope user."""
        self.write(".claude.json", {"mcpServers": servers})

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command in the project."""
        return subprocess.Popen(
            [sys.executable, "-m", "spadework", *arguments],
            cwd=self.project,
            env=self.environ | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Run a command to its end: exit code, standard output, standard error."""
        process = self.start(*arguments, **more)
        try:
            out, err = process.communicate(timeout=100)
        finally:
            process.kill()
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def told(self, *arguments: str, **more: str) -> tuple[int, dict[str, list[Any]]]:
        """Run a command with --json: exit code, and its findings by code and where they are."""
        code, out, _ = self.run(*arguments, "--json", **more)
        found: dict[str, list[Any]] = {}
        for finding in json.loads(out)["findings"]:
            found.setdefault(f"{finding['code']} {finding['where']}".strip(), []).append(finding)
        return code, found
