"""The inside of a confined process: limited memory, no file, no connection, no program.

A request is a line `WORD LENGTH` and as many bytes. A reply is a line `ok LENGTH` and the text in
UTF-8, or `failed LENGTH` and the reason. The one argument is the address space in bytes.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[str, bytes], str]

LONGEST_REASON = 160  # characters
WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = (
    "ftplib.",
    "http.client.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "shutil.",
    "socket.",
    "subprocess.",
    "urllib.Request",
    "webbrowser.",
)


def serve(prepare: Callable[[], Work]) -> None:
    """Answer requests until the input ends.

    Args:
        prepare: makes ready and returns what answers: from the word and the data to the text. It
            is called before the process is locked up.
    """
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what a library prints goes nowhere
        os.dup2(nothing, descriptor)
    work = prepare()
    _lock_up(int(sys.argv[1]))
    while head := requests.readline():
        word, length = head.split()
        status, text = _outcome(work, word.decode(), requests.read(int(length)))
        body = text.encode(errors="replace")
        replies.write(b"%s %d\n" % (status, len(body)) + body)
        replies.flush()


def _outcome(work: Work, word: str, data: bytes) -> tuple[bytes, str]:
    try:
        return b"ok", work(word, data)
    except Exception as error:  # noqa: BLE001 - parsers of broken data raise anything
        said = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        return b"failed", reason[:LONGEST_REASON]


def _lock_up(memory: int) -> None:
    """Give up, for good, all that the work does not need."""
    with suppress(ValueError, OSError):  # a lower limit holds already; macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    readable = tuple(
        f"{Path(folder).resolve()}{os.sep}"
        for folder in {sys.prefix, sys.base_prefix, *sys.path}
        if folder and Path(folder).resolve() != Path("/")
    )

    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            _refuse_foreign(readable, *arguments)
        elif event.startswith(FORBIDDEN):
            raise PermissionError(f"this may not be done here: {event}")

    sys.addaudithook(judge)


def _refuse_foreign(readable: tuple[str, ...], path: object, _: object, flags: int) -> None:
    """Let nothing be opened but what Python and its packages are made of, for reading."""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    is_own = isinstance(path, str) and os.path.realpath(path).startswith(readable)
    if not is_own or flags & WRITING:
        raise PermissionError("no file may be opened here")
