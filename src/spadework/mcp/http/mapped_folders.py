"""Maps references of a client on another machine to folders of this one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.errors import ReferenceRefused
from spadework.references.git.grammar import is_git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RULE = "no-shared-disk"
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ALONE = "pass the text itself, or map folders under [http.roots] in the server's config"


@dataclass(frozen=True, slots=True)
class MappedFolders:
    """The folders of the client's disk that are here too: how it calls them, where they are."""

    folders: Mapping[str, Path]

    @property
    def only(self) -> Path | None:
        """The folder that relative references start in: the one, where there is just one."""
        return next(iter(self.folders.values())) if len(self.folders) == 1 else None

    @property
    def names(self) -> dict[str, Path]:
        """How the client calls its folders, with forward slashes, and where they are."""
        return {_plain(folder) or "/": here for folder, here in self.folders.items()}

    def local(self, reference: str) -> str:
        """Rewrite a reference to what it is called here.

        A relative one stays as it is, to be read from `only`.

        Raises:
            ReferenceRefused: it leads to the client's own disk.
        """
        if not reference.strip():
            return reference  # it is refused where references are read
        if is_git(reference):
            raise _refused(reference, "git is not run over HTTP", "pass git's output as text")
        windows = bool(_WINDOWS.match(reference))
        path = reference.replace("\\", "/") if windows else reference
        if not self.folders:
            raise _refused(reference, "the server does not see your disk", _ALONE)
        if ".." in path.split("/"):
            reason = "'..' is not followed over HTTP"
            raise _refused(reference, reason, f"name it by its path below {self._names()}")
        if not windows and not path.startswith(("/", "~")):
            return self._relative(reference)
        here = self._mapped(path, any_case=windows)
        if here is None:
            reason = "the server sees only the folders that are mapped to it"
            raise _refused(reference, reason, f"they are {self._names()}; {_ALONE}")
        return here

    def _relative(self, reference: str) -> str:
        if self.only is None:
            reason = "several folders are mapped, so a relative path is in none of them"
            raise _refused(reference, reason, f"name it by its path below {self._names()}")
        return reference

    def _mapped(self, path: str, *, any_case: bool) -> str | None:
        """Find the longest mapped folder above the path, and put ours in its place."""
        for folder in sorted(self.folders, key=len, reverse=True):
            theirs = _plain(folder)
            start = path[: len(theirs)]
            is_above = start.lower() == theirs.lower() if any_case else start == theirs
            if is_above and path[len(theirs) :][:1] in {"", "/"}:
                below = path[len(theirs) :].lstrip("/")
                if self.only:
                    return below or "."
                return f"{self.folders[folder]}/{below}" if below else str(self.folders[folder])
        return None

    def _names(self) -> str:
        return ", ".join(self.folders)


def _plain(folder: str) -> str:
    """A folder's name with forward slashes, and none at its end."""
    return (folder.replace("\\", "/") if _WINDOWS.match(folder) else folder).rstrip("/")


def _refused(reference: str, reason: str, hint: str) -> ReferenceRefused:
    return ReferenceRefused(reference, reference, RULE, reason, hint=hint)
