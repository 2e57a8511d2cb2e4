"""Opening a file so that nothing can be put in its place: no symlink, no device, no FIFO.

Every folder on the way is opened from the one above without following links, so a path that was
resolved and found inside a root cannot leave it afterwards (openat(2), O_NOFOLLOW).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_LINK = os.O_RDONLY | os.O_NOFOLLOW
SEARCH = getattr(os, "O_PATH", os.O_RDONLY)  # a folder may allow to pass but not to list


class FileChanged(OSError):
    """What was opened is not what was looked at before."""


def open_regular(path: str | Path, folder: int | None = None) -> BinaryIO:
    """Open a regular file for reading; never blocks and never touches a device.

    Args:
        path: its path, seen from the folder.
        folder: an open folder's descriptor, None for the working folder.

    Raises:
        OSError: it is no regular file or cannot be opened; `FileChanged` if it was exchanged.
    """
    seen = os.stat(path, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(seen.st_mode):
        raise FileChanged(errno.EINVAL, "it is no regular file", str(path))
    descriptor = os.open(path, NO_LINK | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
    stream = os.fdopen(descriptor, "rb")
    opened = os.fstat(descriptor)
    if not os.path.samestat(seen, opened):
        stream.close()
        raise FileChanged(errno.ESTALE, "it was exchanged", str(path))
    return stream


def open_below(root: Path, real: Path) -> BinaryIO:
    """Open the regular file at a real path below a root.

    Raises:
        OSError: it cannot be opened; `FileChanged` if a link or another file took its place.
    """
    *folders, name = real.relative_to(root).parts
    with _folder(root, folders) as folder:
        try:
            return open_regular(name, folder)
        except FileNotFoundError as error:
            raise FileChanged(error.errno, "it vanished", str(real)) from error


@contextmanager
def _folder(root: Path, names: list[str]) -> Iterator[int]:
    """A descriptor of a folder below the root, reached without passing a symlink."""
    descriptor = os.open(root, SEARCH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in names:
            below = _open_folder(name, descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _open_folder(name: str, above: int) -> int:
    try:
        return os.open(name, SEARCH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENOENT}:
            raise FileChanged(error.errno, "a folder above was exchanged", name) from error
        raise
