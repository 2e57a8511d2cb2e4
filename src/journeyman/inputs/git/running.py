"""Running git so that it reads and does nothing else: no shell, no hook, no helper, no write.

A repository's own config can name programs (filters, external diffs, text converters, monitors,
signature checkers, pagers), and a partial clone fetches what it lacks. All of that is switched off
by name, here, for every run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from journeyman.inputs.cancellation import checkpoint, current, seconds_left

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SECONDS = 20.0
SHORT = 1 << 20  # bytes, of what git says about itself
HARMLESS = {
    "color.ui": "false",
    "core.alternateRefsCommand": "",
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.quotePath": "false",
    "core.sshCommand": "false",
    "credential.helper": "",
    "diff.autoRefreshIndex": "false",
    "diff.mnemonicPrefix": "false",
    "diff.noprefix": "false",
    "diff.orderFile": os.devnull,
    "diff.relative": "false",
    "diff.suppressBlankEmpty": "false",
    "format.pretty": "medium",
    "gc.auto": "0",
    "i18n.logOutputEncoding": "UTF-8",
    "log.follow": "false",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": os.devnull,
    "LC_ALL": "C.UTF-8",
    "PATH": os.defpath,
}
# A filter runs on each changed file of the work tree; that it is required would make git fail.
FILTER_KEY = re.compile(r"filter\..*\.(?:clean|smudge|process|required)", re.DOTALL)


class GitFailed(Exception):
    """Git said no; the message is its first line."""


class GitTooSlow(Exception):
    """Git took longer than it may."""


class GitTooLong(Exception):
    """Git printed more than it may."""


class GitMissing(Exception):
    """There is no git on this machine."""


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one folder.

    Args:
        folder: where it runs.
        config: keys that are set for each run, besides those that make git harmless.
        environment: the same for variables.
    """

    folder: Path
    config: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, most: int = SHORT, seconds: float = SECONDS) -> bytes:
        """Run git and return what it prints.

        Args:
            arguments: what follows `git` on its command line.
            most: the most that it may print, in bytes.
            seconds: the time that it may take.

        Raises:
            GitFailed: it ended with an error.
            GitTooLong: it printed more.
            GitTooSlow: it took longer.
            GitMissing: there is no git.
        """
        options = [part for pair in (*HARMLESS.items(), *self.config) for part in _option(pair)]
        command = [_program(), "--no-pager", "--no-optional-locks", *options, *arguments]
        return _output(command, self.folder, {**ENVIRONMENT, **self.environment}, most, seconds)

    def line(self, *arguments: str) -> str:
        """Run git and return the one line that it prints; raises as `run` does."""
        return os.fsdecode(self.run(*arguments)).removesuffix("\n")

    def filters(self) -> tuple[tuple[str, str], ...]:
        """The config that takes every filter of the repository away.

        Raises:
            GitFailed: a filter's name is such that it cannot be taken away.
        """
        listed = os.fsdecode(self.run("config", "--list", "--name-only", "-z")).split("\0")
        found = [name for name in dict.fromkeys(listed) if FILTER_KEY.fullmatch(name)]
        if any("=" in name for name in found):
            raise GitFailed("its config holds a filter with an equals sign in its name")
        return tuple((name, "false" if name.endswith(".required") else "") for name in found)


def trusted_folders() -> tuple[tuple[str, str], ...]:
    """What the user's own config says of `safe.directory`, as config for a run."""
    kept = {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in os.environ}
    environment = {"PATH": os.defpath, "GIT_DIR": os.devnull} | kept
    command = [_program(), "config", "-z", "--get-all", "safe.directory"]
    try:
        said = _output(command, None, environment, SHORT, SECONDS)
    except GitFailed:
        return ()  # there is none
    return tuple(("safe.directory", one) for one in os.fsdecode(said).split("\0")[:-1])


def _program() -> str:
    program = shutil.which("git")
    if program is None:
        raise GitMissing
    return os.path.abspath(program)  # noqa: PTH100 - it is run in another folder


def _option(pair: tuple[str, str]) -> tuple[str, str]:
    return ("-c", "=".join(pair))


def _output(
    command: Sequence[str],
    folder: Path | None,
    environment: Mapping[str, str],
    most: int,
    seconds: float,
) -> bytes:
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - no shell, and every word is of our own grammar
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=folder or "/",
            env=environment,
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds_left(seconds), end)
        timer.start()
        try:
            with current().calling(end):
                assert process.stdout  # noqa: S101 - it was started with a pipe
                printed = process.stdout.read(most + 1)
                if len(printed) > most:
                    process.kill()
                process.stdout.close()
                status = process.wait()
        finally:
            timer.cancel()
        if late.is_set():
            checkpoint()  # the call is out of time, or cancelled
            raise GitTooSlow
        if len(printed) > most:
            raise GitTooLong
        if status:
            complaints.seek(0)
            raise GitFailed(_first_line(complaints.read(SHORT)))
        return printed


def _first_line(complaints: bytes) -> str:
    lines = complaints.decode(errors="replace").strip().splitlines()
    said = lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "it failed"
    return f"git says: {said}"
