"""A git process with limits: of memory, of time, of how many there are at once."""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from spadework.references.cancellation import checkpoint, current, seconds_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SHORT = 1 << 20  # bytes, of what git says about itself
MEMORY = 512 << 20  # bytes of heap of one process; the files that it maps are limited by its config
AT_ONCE = 4  # processes of all clients, and one of each, so that together they have a limit too

_NO_MEMORY = re.compile(r"out of memory|cannot allocate memory|mmap failed", re.IGNORECASE)
_SECONDS_BETWEEN_LOOKS = 0.1  # at the deadline, and at whether the call was cancelled
_turn = threading.Condition()
_running: set[str] = set()
"""The clients that have a process."""


class GitFailed(Exception):
    """Git failed; the message is the first line of its error."""


class GitTooSlow(Exception):
    """Git exceeded its time limit."""


class GitTooLong(Exception):
    """Git exceeded its output limit."""


class GitTooBig(Exception):
    """Git exceeded its memory limit."""


class GitMissing(Exception):
    """Git is not installed on this machine."""


@contextmanager
def printed_by(
    command: Sequence[str],
    folder: Path | None,
    environment: Mapping[str, str],
    given: bytes,
    deadline: float,
) -> Iterator[IO[bytes]]:
    """Start a process and give its standard output; it is ended with the block.

    Do not start another one within the block: a client has one at a time.

    Args:
        command: the program by its absolute path, and its arguments.
        folder: where it runs, None for the root folder.
        environment: all of its variables.
        given: its standard input.
        deadline: when it is killed, by `time.monotonic`.

    Raises:
        GitFailed: all of its output was read, and it ended with an error.
        GitTooSlow: the deadline passed.
        GitTooBig: it needed too much memory.
        WorkStopped: the call was cancelled, or is out of time.
    """
    with (
        _slot(deadline),
        tempfile.TemporaryFile() as complaints,
        tempfile.TemporaryFile() as input_,
    ):
        input_.write(given)
        input_.seek(0)
        process = subprocess.Popen(  # noqa: S603 - no shell, each word is of our own grammar
            command,
            stdin=input_,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=folder or "/",
            env=environment,
        )
        with _ended(process, deadline) as is_late:
            _limit(process.pid)
            assert process.stdout  # noqa: S101 - it was started with a pipe
            yield process.stdout
            status = process.wait() if process.stdout.read(1) == b"" else None
        if is_late.is_set():
            checkpoint()  # the call is out of time, or cancelled
            raise GitTooSlow
        if status:
            complaints.seek(0)
            raise _failure(status, complaints.read(SHORT).decode(errors="replace"))


@contextmanager
def _slot(deadline: float) -> Iterator[None]:
    """Wait until this client may have a process."""
    client = current().client
    with _turn:
        while client in _running or len(_running) >= AT_ONCE:
            checkpoint()
            if (left := deadline - time.monotonic()) <= 0:
                raise GitTooSlow
            _turn.wait(min(left, _SECONDS_BETWEEN_LOOKS))
        _running.add(client)
    try:
        yield
    finally:
        with _turn:
            _running.discard(client)
            _turn.notify_all()


@contextmanager
def _ended(process: subprocess.Popen[bytes], deadline: float) -> Iterator[threading.Event]:
    """Kill the process at the deadline or when the block is left; the event says which."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        process.kill()

    timer = threading.Timer(seconds_left(max(0.0, deadline - time.monotonic())), end)
    timer.start()
    try:
        with current().calling(end):
            yield is_late
    finally:
        timer.cancel()
        process.kill()
        if process.stdout:
            process.stdout.close()
        process.wait()


def _limit(pid: int) -> None:
    """Limit a process that has just begun: nothing takes much memory in so short a time."""
    if not hasattr(resource, "prlimit"):
        return  # not Linux: the limits of time and output remain
    for kind, most in (
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_FSIZE, SHORT),  # it writes nothing but complaints
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ProcessLookupError):  # it has ended already
            _, hard = resource.prlimit(pid, kind)
            if hard == resource.RLIM_INFINITY or hard > most:
                resource.prlimit(pid, kind, (most, most))


def _failure(status: int, complaints: str) -> Exception:
    if status < 0 or _NO_MEMORY.search(complaints):
        return GitTooBig()
    return GitFailed(_first_line(complaints))


def _first_line(complaints: str) -> str:
    lines = complaints.strip().splitlines()
    said = lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "it failed"
    return f"git says: {said}"
