"""Converting documents in a process of their own, which is ended when it takes too long."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

CHILD = "journeyman.inputs.documents.child"
BLOCK = 1 << 16  # bytes
LONGEST_HEAD = 40  # bytes of a reply's first line
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH")


class ConversionFailed(Exception):
    """The document is broken, or of a kind that the converter does not know."""


class ConversionTooSlow(Exception):
    """The time for converting is over."""


class ConversionTooLong(Exception):
    """The text that comes of the document is over the limit."""


@dataclass(slots=True)
class Converter:
    """Converts the documents of one call. Use it as a context manager.

    Args:
        seconds: the time for all documents together.
        most: the longest text of one document, in bytes of UTF-8.
        memory: the address space of the process that converts, in bytes.
    """

    seconds: float
    most: int
    memory: int = 2 << 30
    spent: float = 0.0
    texts: dict[Path, str] = field(default_factory=dict)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def text_of(self, path: Path, data: bytes, suffix: str) -> str:
        """Convert a document to Markdown, once for each path.

        Args:
            path: what it is known by.
            data: its bytes; of a kind that is text in UTF-8.
            suffix: its kind's first suffix, with the dot.

        Raises:
            ConversionFailed: it cannot be converted; the message says why.
            ConversionTooSlow: the time is over.
            ConversionTooLong: its text is longer than `most`.
        """
        if path not in self.texts:
            self.texts[path] = self._convert(data, suffix)
        return self.texts[path]

    def _convert(self, data: bytes, suffix: str) -> str:
        started = time.monotonic()
        try:
            request = b"%s %d\n" % (suffix.encode(), len(data)) + data
            status, body = self._exchange(request, started + self.seconds - self.spent)
        except BaseException:
            self._end()  # its answer, if one comes, is nobody's
            raise
        finally:
            self.spent += time.monotonic() - started
        text = body.decode(errors="replace")
        if status != "ok":
            raise ConversionFailed(text)
        return text

    def _exchange(self, request: bytes, deadline: float) -> tuple[str, bytes]:
        child = self._running()
        assert child.stdin  # noqa: S101 - it was started with pipes
        assert child.stdout  # noqa: S101 - the same
        rest = memoryview(request)
        reply = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            selector.register(child.stdin, selectors.EVENT_WRITE)
            while not (whole := self._reply(reply)):
                events = selector.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    raise ConversionTooSlow
                for key, _ in events:
                    if key.fileobj is child.stdout:
                        reply += self._read(child)
                    else:
                        rest = rest[self._write(child, rest) :]
                        if not rest:
                            selector.unregister(child.stdin)
        return whole

    def _reply(self, read: bytearray) -> tuple[str, bytes] | None:
        head, end, _ = bytes(read[:LONGEST_HEAD]).partition(b"\n")
        if not end:
            return None
        status, length = head.split()
        if int(length) > self.most:
            raise ConversionTooLong
        start = len(head) + 1
        if len(read) - start < int(length):
            return None
        return status.decode(), bytes(read[start:])

    def _read(self, child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout  # noqa: S101 - it was started with pipes
        block = os.read(child.stdout.fileno(), BLOCK)
        if not block:
            raise ConversionFailed("the converter gave up, most likely for want of memory")
        return block

    def _write(self, child: subprocess.Popen[bytes], rest: memoryview) -> int:
        assert child.stdin  # noqa: S101 - it was started with pipes
        try:
            return os.write(child.stdin.fileno(), rest[:BLOCK])
        except BrokenPipeError:
            return len(rest)  # reading tells that it ended

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            kept = {name: os.environ[name] for name in KEPT if name in os.environ}
            kept |= {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-P", "-m", CHILD, str(self.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=kept | ONE_THREAD,
            )
            assert self._child.stdin  # noqa: S101 - it was started with pipes
            os.set_blocking(self._child.stdin.fileno(), False)
        return self._child

    def _end(self) -> None:
        if self._child is None:
            return
        self._child.kill()
        self._child.communicate()
        self._child = None
