"""Running git so that it reads and does nothing else: no shell, no hook, no helper, no write.

A repository's own config can name programs (filters, external diffs, text converters, monitors,
signature checkers, pagers), and a partial clone fetches what it lacks. All of that is switched off
by name, here, for every run. Objects are compressed and made of differences, so a small repository
can hold gigabytes: each run has a limit of memory, of time and of output.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from spadework.references.git.limited_process import (
    SHORT,
    GitFailed,
    GitMissing,
    GitTooLong,
    printed_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SECONDS = 20.0  # for all runs that one reference needs
LARGEST_COMPARED = 32 << 20  # bytes; git calls a larger file binary, and streams it
HARMLESS = {
    "color.ui": "false",
    "core.alternateRefsCommand": "",
    "core.attributesFile": os.devnull,
    "core.bigFileThreshold": str(LARGEST_COMPARED),
    "core.deltaBaseCacheLimit": "32m",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.packedGitLimit": "256m",
    "core.packedGitWindowSize": "32m",
    "core.pager": "cat",
    "core.preloadIndex": "false",  # else up to 20 threads, each with its stack and heap
    "core.quotePath": "false",
    "core.sshCommand": "false",
    "credential.helper": "",
    "diff.autoRefreshIndex": "false",
    "diff.mnemonicPrefix": "false",
    "diff.noprefix": "false",
    "diff.orderFile": os.devnull,
    "diff.relative": "false",
    "diff.renameLimit": "1000",
    "diff.suppressBlankEmpty": "false",
    "format.pretty": "medium",
    "gc.auto": "0",
    "i18n.logOutputEncoding": "UTF-8",
    "index.threads": "1",
    "log.date": "default",
    "log.follow": "false",
    "log.showSignature": "false",
    "mailmap.file": os.devnull,
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


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one folder.

    Args:
        folder: where it runs.
        config: keys that are set for each run, besides those that make git harmless.
        environment: the same for variables.
        deadline: when the last run must have ended, by `time.monotonic`.
    """

    folder: Path
    config: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    deadline: float = math.inf

    def run(self, *arguments: str, most: int = SHORT) -> bytes:
        """Run git and return what it prints.

        Args:
            arguments: what follows `git` on its command line.
            most: the most that it may print, in bytes.

        Raises:
            GitFailed: it ended with an error.
            GitTooLong: it printed more.
            GitTooSlow: the deadline passed.
            GitTooBig: it needed too much memory.
            GitMissing: there is no git.
        """
        with self.stream(*arguments) as printed:
            output = printed.read(most + 1)
            if len(output) > most:
                raise GitTooLong
            return output

    @contextmanager
    def stream(self, *arguments: str, given: bytes = b"") -> Iterator[IO[bytes]]:
        """Run git, and read what it prints while it runs; do not run another one meanwhile.

        Args:
            arguments: as for `run`.
            given: its standard input.

        Raises:
            GitFailed: when all is read: it ended with an error; other errors as in `run`.
        """
        options = [part for pair in (*HARMLESS.items(), *self.config) for part in _option(pair)]
        command = [_program(), "--no-pager", "--no-optional-locks", *options, *arguments]
        environment = {**ENVIRONMENT, **self.environment}
        deadline = min(self.deadline, time.monotonic() + SECONDS)
        with printed_by(command, self.folder, environment, given, deadline) as printed:
            yield printed

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
        deadline = time.monotonic() + SECONDS
        with printed_by(command, None, environment, b"", deadline) as printed:
            said = printed.read(SHORT)
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
