"""The process that converts: it reads documents on its standard input and writes Markdown.

A document comes from anybody. So it is parsed here, where memory is limited, nothing can be
written, no connection opened and no program started, and where the parent ends all that takes long.

A request is a line `SUFFIX LENGTH` and the document's bytes. A reply is a line `ok LENGTH` and the
text in UTF-8, or `failed LENGTH` and the reason. markitdown is imported nowhere else: it takes a
second and 100 MiB. The one argument is the address space that may be used, in bytes.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    Convert = Callable[[BinaryIO, str], str]

LONGEST_REASON = 160  # characters
READING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = (
    "ctypes.dlopen",
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


def main() -> None:
    """Answer requests until the input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what a library prints goes nowhere
        os.dup2(nothing, descriptor)
    convert = _converter()
    _lock_up(int(sys.argv[1]))
    while head := requests.readline():
        suffix, length = head.split()
        data = requests.read(int(length))
        status, text = _outcome(convert, data, suffix.decode())
        body = text.encode(errors="replace")
        replies.write(b"%s %d\n" % (status, len(body)) + body)
        replies.flush()


def _outcome(convert: Convert, data: bytes, suffix: str) -> tuple[bytes, str]:
    try:
        return b"ok", convert(io.BytesIO(data), suffix)
    except Exception as error:  # noqa: BLE001 - parsers of broken documents raise anything
        said = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        return b"failed", reason[:LONGEST_REASON]


def _converter() -> Convert:
    """The converters one by one: MarkItDown itself would guess the kind, and look into archives."""
    from markitdown import StreamInfo, converters  # noqa: PLC0415 - heavy

    makers: dict[str, Any] = {
        ".pdf": converters.PdfConverter,
        ".docx": converters.DocxConverter,
        ".pptx": converters.PptxConverter,
        ".epub": converters.EpubConverter,
        ".html": converters.HtmlConverter,
        ".ipynb": converters.IpynbConverter,
    }

    def convert(stream: BinaryIO, suffix: str) -> str:
        about = StreamInfo(extension=suffix, charset="utf-8")
        return str(makers[suffix]().convert(stream, about).markdown)

    return convert


def _lock_up(memory: int) -> None:
    """Give up, for good, all that a conversion does not need."""
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
            raise PermissionError(f"a document may not do this: {event}")

    sys.addaudithook(judge)


def _refuse_foreign(readable: tuple[str, ...], path: object, _: object, flags: int) -> None:
    """Let nothing be opened but what Python and its packages are made of, for reading."""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    is_own = isinstance(path, str) and os.path.realpath(path).startswith(readable)
    if not is_own or flags & READING:
        raise PermissionError("a document may not open files")


if __name__ == "__main__":
    main()
