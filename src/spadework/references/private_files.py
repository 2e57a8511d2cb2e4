"""Which files are private: `references.private` of the config, and confidential folders."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.references.gitignore import PatternList, pattern_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.config.confidential_folders import ConfidentialFolders
    from spadework.config.models import ReferencesConfig
    from spadework.references.roots import Roots

MOST_ENTRIES = 200_000  # looked through for the names of a hard link; more: it counts as private
_MOST_LINKS = 40  # Linux's limit for one path

FileId = tuple[int, int]
"""A file by its device and inode, whatever it is called."""


@dataclass(slots=True)
class PrivateFiles:
    """Tells private files from others: by every name that leads to them.

    A file counts as private if the patterns cover the path that leads to it, its real path, a path
    that a symlink on the way leads to, or the path of another hard link inside the roots; or if
    one of these paths is in a confidential folder.
    """

    patterns: PatternList
    roots: Roots
    confidential: ConfidentialFolders | None = None
    most_entries: int = MOST_ENTRIES
    _linked: frozenset[FileId] | None = field(default=None, init=False)
    _too_many: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls, limits: ReferencesConfig, roots: Roots, confidential: ConfidentialFolders | None = None
    ) -> PrivateFiles:
        """Compile the config's patterns.

        Args:
            limits: names them.
            roots: the folders that they are seen from.
            confidential: folders in which everything is private.
        """
        patterns = unicodedata.normalize("NFC", "\n".join(limits.private))
        return cls(pattern_list(patterns, re.IGNORECASE), roots, confidential)

    def covers(self, *paths: Path) -> bool:
        """Whether the file that these absolute paths lead to is private."""
        names = dict.fromkeys(name for path in paths for name in _names_of(path))
        if self.confidential is not None and any(map(self.confidential.reason, names)):
            return True
        rules = self.confidential.patterns if self.confidential else ()
        if not self.patterns.lines and not rules:
            return False  # to look for hard links takes a walk through all roots
        return any(map(self._is_named, names)) or any(map(self._is_linked, paths))

    def is_confidential(self, *paths: Path) -> bool:
        """Whether the file that these absolute paths lead to is in a confidential folder."""
        folders = self.confidential
        names = dict.fromkeys(name for path in paths for name in _names_of(path))
        return folders is not None and any(map(folders.reason, names))

    def _is_named(self, path: Path) -> bool:
        """Whether the patterns name a path, seen from its root; any case counts."""
        root = self.roots.root_of(path)
        return root is not None and self.patterns.covers(_seen_from(path, root))

    def _is_linked(self, path: Path) -> bool:
        """Whether a file has another hard link with a private name."""
        try:
            found = path.stat()
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode) or found.st_nlink < 2:  # noqa: PLR2004 - one name only
            return False
        if self._linked is None:
            self._linked = frozenset(self._private_ids())
        return self._too_many or (found.st_dev, found.st_ino) in self._linked

    def _private_ids(self) -> Iterator[FileId]:
        """Find every private file in the roots; what git ignores is private too."""
        looked_at = 0
        for root in self.roots.all():
            pending = [("", False)]
            while pending:
                above, is_covered = pending.pop()
                folder = f"{root}/{above}"
                try:
                    device = os.stat(folder).st_dev  # noqa: PTH116 - a Path for each costs as much
                    with os.scandir(folder) as listing:
                        entries = list(listing)
                except OSError:  # what cannot be listed cannot be compared
                    continue
                looked_at += len(entries)
                if looked_at > self.most_entries:
                    self._too_many = True
                    return
                is_covered = is_covered or self._is_confidential(Path(folder))
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    name = f"{above}{entry.name}{'/' if is_folder else ''}"
                    is_private = is_covered or self.patterns.names(_normal(name))
                    if is_folder and entry.name != ".git":
                        pending.append((name, is_private))
                    elif is_private and not is_folder:
                        yield device, entry.inode()

    def _is_confidential(self, folder: Path) -> bool:
        return self.confidential is not None and bool(self.confidential.reason(folder))


def _normal(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _seen_from(path: Path, root: Path) -> str:
    return _normal(str(path.relative_to(root)))


def _names_of(path: Path) -> list[Path]:
    """The path, and the paths that the symlinks on its way lead to, one after another."""
    names = [path]
    while len(names) <= _MOST_LINKS and (following := _followed(names[-1])):
        names.append(following)
    return names


def _followed(path: Path) -> Path | None:
    """The path with its first symlink replaced by where that leads; None if it has none."""
    for above in (*reversed(path.parents), path):
        try:
            target = os.readlink(above)  # noqa: PTH115 - Path.readlink loses a slash at the end
        except OSError:
            continue
        followed = os.path.normpath(above.parent / target)
        return Path(followed) / path.relative_to(above)
    return None
