"""The text of a JSONL file, or of standard input."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError
from spadework.references import refusals
from spadework.references.credential_files import holds_private_key
from spadework.references.roots import open_below

if TYPE_CHECKING:
    from typing import TextIO

    from spadework.references.resolution import File

_PROBE = 8192
_BLOCK = 1 << 16


def text_of(file: File) -> str:
    """Read a file of lines.

    Raises:
        ArgumentError: it is not UTF-8 text.
        ReferenceRefused: it cannot be read, or holds a private key.
    """
    try:
        with open_below(file.root, file.real) as stream:
            data = stream.read()
    except OSError as error:
        raise refusals.unreadable(file.reference, file.path, error) from error
    text = _decoded(data, file.path)
    if holds_private_key(text):
        raise refusals.credential_file(file.reference, file.path, "it holds a private key")
    return text


async def text_of_stdin(stream: TextIO | None) -> str:
    """Read it all, in a thread that nobody waits for, so that Ctrl-C ends it.

    Raises:
        ArgumentError: stdin is missing, or is not UTF-8 text.
    """
    if stream is None:
        raise ArgumentError("standard input is closed")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes | str | OSError] = loop.create_future()

    def settle(result: bytes | str | OSError) -> None:
        if not done.done():
            done.set_result(result)

    threading.Thread(
        target=lambda: loop.call_soon_threadsafe(settle, _whole(stream)), daemon=True
    ).start()
    result = await done
    if isinstance(result, OSError):
        raise ArgumentError(f"standard input cannot be read: {result.strerror}")
    return result if isinstance(result, str) else _decoded(result, "standard input")


def _whole(stream: TextIO) -> bytes | str | OSError:
    """Read by the descriptor where there is one: a buffer's lock would outlive the program."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream.read()
    blocks: list[bytes] = []
    try:
        while block := os.read(descriptor, _BLOCK):
            blocks.append(block)
    except OSError as error:
        return error
    return b"".join(blocks)


def _decoded(data: bytes, where: str) -> str:
    try:
        if b"\0" not in data[:_PROBE]:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ArgumentError(
            f"{where}, line {line}: not valid UTF-8", hint="convert it to UTF-8 first"
        ) from None
    raise ArgumentError(f"{where} is binary, not text", hint="convert it to text first")
