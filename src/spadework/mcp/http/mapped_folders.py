"""Maps references of a client on another machine to folders of this one, and hides its paths.

Refusals are made without paths of this machine. `conceal` is for the rest, whose texts come from
everywhere: errors of the config, the ledger, the embedded engine and of servers, and what a
converter says.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from spadework.errors import ReferenceRefused
from spadework.references.git.grammar import is_git
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spadework.config.models import Config

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


CONCEALED = "(a path on the server)"
_REST = r"(?:/[^\s'\"`,;:)\]]*)?"
"""The rest of a path in a sentence."""


def conceal(text: str, config: Config, config_file: Path) -> str:
    """Name mapped folders as the client does, and no other folder of this machine.

    Args:
        text: a message.
        config: names most of the folders.
        config_file: where it was read from.
    """
    if "/" not in text:
        return text
    names = MappedFolders(config.http.roots).names
    theirs = {form: name for name, folder in names.items() for form in _forms(folder)}
    ours = {form for one in _own_folders(config, config_file) for form in _forms(one)}
    known = sorted({*theirs, *ours} - {"/"}, key=len, reverse=True)
    start = "|".join(map(re.escape, known))

    def called(match: re.Match[str]) -> str:
        folder, rest = match["folder"], match["rest"]
        if folder in theirs:
            return (theirs[folder].rstrip("/") + rest) or "/"
        path = folder + rest
        is_theirs = any(path == name or path.startswith(f"{name}/") for name in names)
        return path if is_theirs else CONCEALED

    # Not in the middle of a longer path or of an address.
    return re.sub(rf"(?<![\w.~/-])(?P<folder>{start})(?![\w.-])(?P<rest>{_REST})", called, text)


def _own_folders(config: Config, config_file: Path) -> Iterator[Path]:
    yield from _paths_in(config)
    yield from (config_file.parent, data_folder(), Path.cwd(), Path(tempfile.gettempdir()))
    yield from map(Path, (sys.prefix, sys.base_prefix, os.path.expanduser("~")))  # noqa: PTH111 - a missing home must not raise


def _paths_in(value: Any) -> Iterator[Path]:
    """Every path that a config holds."""
    if isinstance(value, Path):
        yield value.expanduser()
    elif isinstance(value, BaseModel):
        for _, one in value:
            yield from _paths_in(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _paths_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _paths_in(one)


def _forms(folder: Path) -> set[str]:
    """A folder as it is written, and without symlinks."""
    return {str(folder), os.path.realpath(folder)}
