"""Reads a client's file, and puts a changed one in its place without losing what others write.

Claude Code's own lock on `~/.claude.json`, measured on version 2.1.330: the client makes the folder
`~/.claude.json.lock` (beside the path as it is written, a symlink is not followed), reads the file
again, puts the new one in place and removes the folder. A lock whose folder is older than ten
seconds counts as left behind.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import ConfigError
from spadework.util.atomic_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

STALE_SECONDS = 10.0
WAIT_SECONDS = 15.0
_STEP_SECONDS = 0.02


@contextmanager
def client_lock(file: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the client's own lock on a file; keep it for less than ten seconds.

    Raises:
        ConfigError: somebody else holds it for too long.
        OSError: the lock cannot be made.
    """
    folder = file.with_name(file.name + ".lock")
    folder.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    while not _taken(folder):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"{file}: Claude Code has been writing it for {wait_seconds:.0f} seconds",
                hint=f"try again; if no Claude Code runs, remove the folder {folder}",
            )
        time.sleep(_STEP_SECONDS)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            folder.rmdir()


def _taken(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        with suppress(OSError):  # it was released just now, or is not empty
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                folder.rmdir()
        return False
    return True


CLIENT_FILE_NAME = ".claude.json"

_BOM = "\ufeff"
_ATTEMPTS = 20
_SHARED_MODE = 0o666
_WRITABLE = 0o222


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, None if it does not exist, and its text without a byte order mark."""

    raw: bytes | None
    text: str
    bom: bool = False

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the bytes."""
        return digest(self.raw)

    def encoded(self, text: str) -> bytes:
        """Encode another text as this file is."""
        return ((_BOM if self.bom else "") + text).encode("utf-8")


def digest(raw: bytes | None) -> str | None:
    """Return the SHA-256 of a file's bytes, None if it does not exist."""
    return None if raw is None else sha256(raw).hexdigest()


def read_content(file: Path) -> Content:
    """Read a file; a symlink is followed.

    Raises:
        ConfigError: it cannot be read, is not text, is not a file, or is a broken symlink.
    """
    if file.is_symlink() and not file.exists():
        raise ConfigError(
            f"{file}: is a symlink to {Path(os.path.realpath(file))}, which is not there",
            hint="restore that file, or remove the symlink",
        )
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file}: is not a file", hint="move it away")
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return Content(None, "")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: not valid UTF-8 (byte {error.start})",
            hint="nothing was changed; save it as UTF-8 in your editor, then run this again",
        ) from None
    bom = text.startswith(_BOM)
    return Content(raw, text.removeprefix(_BOM), bom)


def check_writable(file: Path) -> None:
    """Refuse a file that its owner has made read-only: it is so on purpose.

    Raises:
        ConfigError: it is read-only.
    """
    real = Path(os.path.realpath(file))
    if real.exists() and not real.stat().st_mode & _WRITABLE:
        raise ConfigError(
            f"{file}: is read-only, so it was left as it is",
            hint=f"make it writable (chmod u+w {real}), or register the server by hand",
        )


def change_file(
    file: Path, change: Callable[[Content], bytes | None], *, shared: bool = False
) -> None:
    """Change a file, again from its newest content if somebody else wrote it meanwhile.

    Args:
        file: the file; a symlink to it stays.
        change: makes the new bytes of the content, None: the file goes; called anew for each
            attempt. The same bytes: nothing is written.
        shared: whether a new file is readable by others, as one in a repository is.

    Raises:
        ConfigError: it cannot be read or written, or somebody else keeps writing it.
    """
    try:
        with _lock(file):
            for _ in range(_ATTEMPTS):
                if _changed_once(file, change, shared=shared):
                    return
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None
    raise ConfigError(f"{file}: another program keeps writing it", hint="close it, and try again")


def _changed_once(file: Path, change: Callable[[Content], bytes | None], *, shared: bool) -> bool:
    content = read_content(file)
    new = change(content)
    if new == content.raw:
        return True
    check_writable(file)

    def nobody_wrote() -> bool:
        """The client's own write may have come while the change was being worked out."""
        return read_content(file).raw == content.raw

    if new is None:
        if nobody_wrote():
            Path(os.path.realpath(file)).unlink()
            return True
        return False
    if not replace_file(file, new, only_if=nobody_wrote):
        return False
    if shared and content.raw is None:
        mask = os.umask(0)
        os.umask(mask)
        file.chmod(_SHARED_MODE & ~mask)
    return True


def _lock(file: Path) -> AbstractContextManager[None]:
    return client_lock(file) if file.name == CLIENT_FILE_NAME else nullcontext()
