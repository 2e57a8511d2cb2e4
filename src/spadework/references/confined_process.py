"""A child process that takes apart what anybody may have written, and is ended if it takes long.

The other end is `sandbox.py`.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from spadework.references.cancellation import checkpoint, seconds_left
from spadework.references.memory_budget import BUDGET

BLOCK = 1 << 16  # bytes
SECONDS_BETWEEN_CHECKPOINTS = 0.25
LONGEST_HEAD = 40  # bytes of a reply's first line
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH")


class ConfinedFailure(Exception):
    """The child process failed; the message says why."""


class TooSlow(Exception):
    """The time limit is exceeded."""


class TooLong(Exception):
    """The reply is over the limit."""


@dataclass(slots=True)
class Confined:
    """A module run as a process of its own, with the memory that it may use. A context manager.

    Args:
        module: its name.
        most: the longest reply, in bytes.
        memory: the address space of the process, in bytes; less where the budget for all such
            processes is smaller. It is reserved there from the start of the process to its end.
    """

    module: str
    most: int
    memory: int = 2 << 30
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _reserved: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, word: str, data: bytes, seconds: float) -> str:
        """Send a request and return what is replied. The process is started if none runs.

        Args:
            word: what kind of data it is.
            data: what to take apart.
            seconds: the time that it may take.

        Raises:
            ConfinedFailure: it could not; the process may have ended of it.
            TooSlow: it took longer; the process was ended.
            TooLong: the reply is longer than `most`; the process was ended.
            WorkStopped: the call is out of time or cancelled; the process was ended.
        """
        self.start()
        try:
            request = b"%s %d\n" % (word.encode(), len(data)) + data
            status, body = self._exchange(request, time.monotonic() + seconds)
        except BaseException:
            self.end()  # its reply, if one comes, is nobody's
            raise
        text = body.decode(errors="replace")
        if status != "ok":
            raise ConfinedFailure(text)
        return text

    def start(self) -> None:
        """Start the process if none runs, as soon as there is memory for it.

        Raises:
            WorkStopped: the call is out of time, or cancelled.
        """
        if self._child is not None:
            return
        memory = BUDGET.largest(self.memory)
        self._reserved.enter_context(BUDGET.reserve(memory))
        try:
            self._child = _started(self.module, memory)
        except BaseException:
            self._reserved.close()
            raise

    def end(self) -> None:
        """End the process, if one runs."""
        if self._child is None:
            return
        self._child.kill()
        self._child.communicate()
        self._child = None
        self._reserved.close()

    def _exchange(self, request: bytes, deadline: float) -> tuple[str, bytes]:
        child = self._child
        assert child  # noqa: S101 - it was started
        assert child.stdin  # noqa: S101 - it was started with pipes
        assert child.stdout  # noqa: S101 - the same
        rest = memoryview(request)
        reply = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            selector.register(child.stdin, selectors.EVENT_WRITE)
            while not (whole := self._whole(reply)):
                checkpoint()
                left = max(0.0, deadline - time.monotonic())
                events = selector.select(seconds_left(min(left, SECONDS_BETWEEN_CHECKPOINTS)))
                if not events and time.monotonic() >= deadline:
                    raise TooSlow
                for key, _ in events:
                    if key.fileobj is child.stdout:
                        reply += _read(child)
                    else:
                        rest = rest[_write(child, rest) :]
                        if not rest:
                            selector.unregister(child.stdin)
        return whole

    def _whole(self, read: bytearray) -> tuple[str, bytes] | None:
        head, end, _ = bytes(read[:LONGEST_HEAD]).partition(b"\n")
        if not end:
            return None
        status, length = head.split()
        if int(length) > self.most:
            raise TooLong
        start = len(head) + 1
        if len(read) - start < int(length):
            return None
        return status.decode(), bytes(read[start:])


def _started(module: str, memory: int) -> subprocess.Popen[bytes]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith("PYTHON")
    }
    child = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        [sys.executable, "-P", "-m", module, str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=kept | ONE_THREAD,
    )
    assert child.stdin  # noqa: S101 - it was started with pipes
    os.set_blocking(child.stdin.fileno(), False)
    return child


def _read(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout  # noqa: S101 - it was started with pipes
    block = os.read(child.stdout.fileno(), BLOCK)
    if not block:
        raise ConfinedFailure("the process for it gave up, most likely for want of memory")
    return block


def _write(child: subprocess.Popen[bytes], rest: memoryview) -> int:
    assert child.stdin  # noqa: S101 - it was started with pipes
    try:
        return os.write(child.stdin.fileno(), rest[:BLOCK])
    except BrokenPipeError:
        return len(rest)  # reading tells that it ended
