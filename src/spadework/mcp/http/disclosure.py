"""Hides the paths of this machine from clients on other machines.

Refusals are made without such paths. This is for the rest, whose texts come from everywhere:
errors of the config, the ledger, the embedded engine and of servers, and what a converter says.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from spadework.mcp.http.mapped_folders import MappedFolders
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.config.models import Config

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
