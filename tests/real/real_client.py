"""The real Claude Code in a scratch home: command lines, a printed turn, a turn on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from real.node_tools import CLAUDE, node_tool

if TYPE_CHECKING:
    from real.model_api import ModelApi

SCRIPTS = Path(sys.executable).parent
KEY = "dummy"
WAIT = 60.0
"""Seconds that a test waits for what must come to the screen."""
ROWS, COLUMNS = 50, 160
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)")


@dataclass(frozen=True, slots=True)
class RealClient:
    """A user with a home, a project, and the two programs on the path."""

    home: Path
    project: Path
    environ: dict[str, str]

    @classmethod
    def in_folder(cls, folder: Path, *, with_spadework: bool = True) -> RealClient:
        """Make it; SPADEWORK_* and XDG_RUNTIME_DIR are those of this process, set by fixtures."""
        home, project = folder / "home", folder / "project"
        home.mkdir()
        project.mkdir()
        programs = [str(SCRIPTS)] if with_spadework else []
        programs += [str(node_tool(CLAUDE).parent), "/usr/bin", "/bin"]
        ours = ("SPADEWORK_CONFIG", "SPADEWORK_DATA", "XDG_RUNTIME_DIR")
        environ = {
            "HOME": str(home),
            "PATH": os.pathsep.join(programs),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **{name: os.environ[name] for name in ours if name in os.environ},
        }
        return cls(home, project, environ)

    def shell(self, line: str, *, code: int = 0) -> str:
        """Run a command line in the project; return what it prints."""
        done = subprocess.run(
            shlex.split(line),
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def print_turn(self, api: ModelApi, prompt: str, *options: str) -> subprocess.Popen[str]:
        """Start a turn that prints its events as lines of JSON."""
        return subprocess.Popen(
            ["claude", "-p", prompt, "--output-format", "stream-json", "--verbose", *options],
            cwd=self.project,
            env=self.environ | _before(api),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def show_turn(self, api: ModelApi, prompt: str, *options: str) -> Screen:
        """Start a turn on a terminal, as a user who has accepted the key and the folder."""
        accepted = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [KEY], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
        }
        (self.home / ".claude.json").write_text(json.dumps(accepted))
        command = ["claude", prompt, *options]
        return Screen(command, self.project, self.environ | _before(api))


def finish(turn: subprocess.Popen[str]) -> list[dict]:
    """Wait for the end of a printed turn; return its events."""
    printed, _ = turn.communicate(timeout=WAIT)
    assert turn.returncode == 0, printed
    return [json.loads(line) for line in printed.splitlines()]


def _before(api: ModelApi) -> dict[str, str]:
    """The environment of a turn before the stand-in: see model_api.py."""
    return {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url}


class Screen:
    """What a program has written to its terminal; use it as a context manager."""

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str]) -> None:
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self._written = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def wait_for(self, text: str) -> None:
        """Wait until it has been shown; spaces do not count, since cursor moves stand for them."""
        wanted = "".join(text.split())
        deadline = time.monotonic() + WAIT
        while wanted not in self._shown():
            ready = select.select([self._terminal], [], [], 1)[0]
            if ready:
                self._written += os.read(self._terminal, 65536)
            assert time.monotonic() < deadline, f"{text!r} is not in {self._shown()!r}"

    def _shown(self) -> str:
        return "".join(_ESCAPES.sub("", self._written.decode(errors="replace")).split())
