"""The folders that may be read and nothing beside them, and opening files in them.

A file is opened so that nothing can be put in its place: no symlink, no device, no FIFO. Every
folder on the way is opened from the one above without following links, so a path that was resolved
and found inside a root cannot leave it afterwards (openat(2), O_NOFOLLOW).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        OSError: it is not a regular file or cannot be opened; `FileChanged` if it was replaced.
    """
    seen = os.stat(path, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(seen.st_mode):
        raise FileChanged(errno.EINVAL, "it is not a regular file", str(path))
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


@dataclass(frozen=True, slots=True)
class Roots:
    """The project folder, where relative references start, and further folders that may be read.

    Real paths only: build it with `Roots.of`. `names` are what a client on another machine calls
    its folders; such a client learns no other path of this machine.
    """

    project: Path
    extra: tuple[Path, ...] = ()
    names: tuple[tuple[str, Path], ...] = ()

    @classmethod
    def of(
        cls,
        project: str | Path,
        extra: Iterable[str | Path] = (),
        names: Mapping[str, Path] | None = None,
    ) -> Roots:
        """Resolve the folders. An extra one that does not exist is ignored.

        Raises:
            ArgumentError: the project folder does not exist.
        """
        names = names or {}
        real = _real_folder(project)
        if real is None:
            raise _no_project(project, names)
        extras = dict.fromkeys(folder for one in extra if (folder := _real_folder(one)))
        named = [(name, _real_folder(names[name])) for name in sorted(names, key=len, reverse=True)]
        return cls(
            real,
            tuple(folder for folder in extras if folder != real),
            tuple((name, folder) for name, folder in named if folder),
        )

    def all(self) -> tuple[Path, ...]:
        """Every root, the project first."""
        return (self.project, *self.extra)

    def root_of(self, real: Path) -> Path | None:
        """The root that a real path lies in, None if it lies outside of all."""
        return next((root for root in self.all() if real.is_relative_to(root)), None)

    def called(self) -> str:
        """The roots as the client knows them, for a message."""
        return ", ".join([name for name, _ in self.names] or map(str, self.all()))

    def start(self) -> str:
        """The folder that relative references start in, as the client knows it."""
        names = [name for name, folder in self.names if folder == self.project]
        return names[0] if names else str(self.project)

    def absolute(self, shown: str) -> Path:
        """The absolute path of what `shown` gave."""
        for name, folder in self.names:
            if shown == name or shown.startswith(f"{name.rstrip('/')}/"):
                return folder / shown[len(name) :].lstrip("/")
        return self.project / shown

    def shown(self, path: Path, real: Path) -> str:
        """A path as model and user see it: relative to the project if inside, else absolute.

        Args:
            path: the absolute path as it was found, symlinks and all.
            real: what it resolves to.
        """
        plain = real if ".." in path.parts else path
        for candidate in (plain, real):
            if candidate.is_relative_to(self.project):
                return candidate.relative_to(self.project).as_posix()
        for candidate in (plain, real):
            for name, folder in self.names:
                if candidate.is_relative_to(folder):
                    below = candidate.relative_to(folder).as_posix()
                    return name if below == "." else f"{name.rstrip('/')}/{below}"
        return plain.as_posix()


def _no_project(project: str | Path, names: Mapping[str, Path]) -> ArgumentError:
    for name, folder in names.items():
        if folder == project:
            hint = "[http.roots] in the server's config says where it is there"
            return ArgumentError(f"the folder {name} does not exist on the server", hint=hint)
    return ArgumentError(
        f"the project folder {project} does not exist",
        hint="start from a folder that does, or name one",
    )


def _real_folder(folder: str | Path) -> Path | None:
    try:
        real = Path(os.path.realpath(Path(folder).expanduser(), strict=True))
        return real if real.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # missing, a loop, a NUL, a home that nobody has
        return None


def current_folder() -> Path:
    """Return the folder that relative references start from.

    Raises:
        ArgumentError: it was deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ArgumentError(
            "the current folder does not exist any more", hint="go to a folder that does"
        ) from None
