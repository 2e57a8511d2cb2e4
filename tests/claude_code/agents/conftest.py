"""A scratch home and project of the client's, and the real command in it."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from spadework.cli import main


@dataclass
class Done:
    code: int
    out: str
    err: str


class World:
    """A home and a project, and what a test does there."""

    def __init__(self, root: Path, monkeypatch, capsys):
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.home, self.project = root / "home", root / "project"
        self.user = self.home / ".claude" / "agents"
        self.own = self.project / ".claude" / "agents"
        for folder in (self.user, self.own, self.project / ".git"):
            folder.mkdir(parents=True)
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.setenv("SPADEWORK_DATA", str(root / "data"))
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
        """Run the command in this process, by its real entrance."""
        self._monkeypatch.setattr(sys, "argv", ["spadework", "agents", *map(str, arguments)])
        self._capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        told = self._capsys.readouterr()
        return Done(code, told.out, told.err)

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json").out)


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    return World(tmp_path, monkeypatch, capsys)
