"""A scratch home and project of the client's, and the real command in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from journeyman.cli.app import app


class World:
    """A home and a project; `run` is the command in this process, `process` in one of its own."""

    def __init__(self, root: Path, monkeypatch):
        self.home, self.project = root / "home", root / "project"
        self.user = self.home / ".claude" / "agents"
        self.own = self.project / ".claude" / "agents"
        for folder in (self.user, self.own, self.project / ".git"):
            folder.mkdir(parents=True)
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.setenv("JOURNEYMAN_DATA", str(root / "data"))
        for name in list(os.environ):
            if name.startswith(("CLAUDE_", "ANTHROPIC_")):
                monkeypatch.delenv(name)
        monkeypatch.chdir(self.project)

    def agent(self, name, *lines, body="Do it.\n", folder=None):
        path = (folder or self.user) / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = [f"name: {name}", "description: Does a thing.", *lines]
        path.write_text("---\n" + "".join(f"{line}\n" for line in head) + f"---\n{body}")
        return path

    def file(self, name, content, folder=None):
        path = (folder or self.user) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, *arguments):
        done = CliRunner().invoke(app, ["agents", *map(str, arguments)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def process(self, *arguments, **options):
        return subprocess.run(
            [sys.executable, "-m", "journeyman", "agents", *map(str, arguments)],
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)
