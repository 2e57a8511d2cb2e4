"""A config, a project, a model server and, when asked for, a real daemon of their own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from doubles.openai_compatible import OpenAIDouble
from spadework.shim.client import connect_to_daemon
from spadework.shim.rendezvous import CALL, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT = 30.0
CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"
api_key_env = "KOALA_KEY"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local", "koala/codellama-local"]

[tools.sort]
use_for = "sorting"
labels = ["yes", "no"]
models = ["koala/llama3-local"]
"""


def until(condition, what: str, seconds: float = WAIT):
    """Wait for what must happen; return what the condition gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)
    return found


class House:
    """Everything of one user; commands run as a shell runs them."""

    def __init__(self, folder: Path, double: OpenAIDouble) -> None:
        self.folder = folder
        self.double = double
        self.project = folder / "project"
        self.config = folder / "config.toml"
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.project.mkdir()
        (self.project / "notes.md").write_text("first line\nsecond line\nthird line\n")
        (folder / "run").mkdir(mode=0o700)
        self.config.write_text(CONFIG.format(url=double.url))

    def start(self, *arguments: str, **options) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "spadework", *arguments],
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ) | options.pop("environ", {}),
            **options,
        )

    def run(self, *arguments: str, **options) -> tuple[int, str, str]:
        process = self.start(*arguments, **options)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        return process.returncode, out, err

    def start_daemon(self) -> subprocess.Popen[bytes]:
        log = (self.folder / "daemon.log").open("ab")
        with log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "spadework", "daemon", "run", "--stay"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.daemons.append(daemon)
        until(self._answers, f"the daemon does not start: {self.log()}")
        return daemon

    def _answers(self) -> bool:
        if self.daemons[-1].poll() is not None:
            raise RuntimeError(self.log())
        met = connect_to_daemon(endpoint(), CALL)
        if met is None:
            return False
        met.socket.close()
        return True

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    def rows(self) -> list[tuple[str, str]]:
        """Outcome and session of every row of the ledger, oldest first."""
        file = self.folder / "data" / "ledger.db"
        if not file.exists():
            return []
        connection = sqlite3.connect(file)
        try:
            found = connection.execute("SELECT outcome, session FROM delegations ORDER BY id")
            return found.fetchall()
        except sqlite3.OperationalError:  # its first row is being written
            return []
        finally:
            connection.close()

    def close(self) -> None:
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGCONT)
                daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


@contextmanager
def a_house(folder: Path) -> Iterator[House]:
    """Everything is undone at the end, the daemons above all."""
    with OpenAIDouble() as double, pytest.MonkeyPatch.context() as patch:
        house = House(folder, double)
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        patch.setenv("SPADEWORK_CONFIG", str(house.config))
        patch.setenv("SPADEWORK_DATA", str(folder / "data"))
        patch.delenv("KOALA_KEY", raising=False)
        try:
            yield house
        finally:
            house.close()
