"""Which references of a call lead to something private: by name, by mark, or as a run's output."""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import TYPE_CHECKING, Any

from spadework.config.confidential_folders import ConfidentialFolders
from spadework.engine.job_inputs import roots_of
from spadework.errors import ArgumentError, SpadeworkError
from spadework.pipelines.line_items import is_private_key
from spadework.pipelines.result_file import file_id, outputs_of
from spadework.references.file_tree import files_of
from spadework.references.git.git_reader import read_git
from spadework.references.git.grammar import is_git
from spadework.references.private_files import PrivateFiles
from spadework.references.resolution import File, locate
from spadework.references.roots import open_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spadework.config.models import Config
    from spadework.engine.job import Session
    from spadework.references.roots import Roots

JSONL = frozenset({".jsonl", ".ndjson"})
_MARK = re.compile(rb"privat|\\\\u", re.IGNORECASE)  # a key may be written with escapes
_MOST_BYTES = 16 << 20
"""A larger file of lines counts as private: it is not looked through."""


async def private_reference(
    references: Sequence[str], session: Session, config: Config, outs: Iterable[str] = ()
) -> str | None:
    """Find a reference that leads to something private; nothing is read but marks in JSONL.

    Private are files that `references.private` names, `.jsonl` files with a private line, and the
    results and reports of runs that worked on something private.

    Args:
        references: as a call gives them; what may not be read is passed over: the call says why.
        session: where they start from, and where they may lead.
        config: the user's config.
        outs: the files of results of runs that were private, in whole or in part.

    Returns:
        The first such path; empty if there is none, None if not all of them can be looked at.
    """
    if not references:
        return ""
    return await asyncio.to_thread(_find, references, session, config, outs)


def _find(
    references: Sequence[str], session: Session, config: Config, outs: Iterable[str]
) -> str | None:
    try:
        looking = _Looking(roots_of(session, config), config, outs)
    except ArgumentError:  # the project folder is gone: nothing can be read there
        return None
    none: str | None = ""
    for one in references:
        try:
            found = looking.at(one)
        except SpadeworkError:
            none = None
            continue
        if found:
            return found
    return none


class _Looking:
    def __init__(self, roots: Roots, config: Config, outs: Iterable[str]) -> None:
        self._roots = roots
        confidential = ConfidentialFolders.of(config)
        self._files = PrivateFiles.of(config.references, roots, confidential)
        self._most_bytes = config.references.max_file_bytes
        self._outputs = {one for out in outs for one in outputs_of(out)}

    def at(self, reference: str) -> str:
        """Look at one reference; gives a private path, or nothing."""
        if is_git(reference):
            paths = read_git(reference, self._roots, self._most_bytes).paths
            return reference if any(map(self._files.covers, paths)) else ""
        place = locate(reference, self._roots)
        files = [place] if isinstance(place, File) else files_of(place, self._roots)
        return next((one.path for one in files if isinstance(one, File) and self._is(one)), "")

    def _is(self, file: File) -> bool:
        return (
            self._files.covers(self._roots.project / file.path, file.real)
            or (bool(self._outputs) and file_id(file.real) in self._outputs)
            or (file.real.suffix.lower() in JSONL and _has_marks(file))
        )


def _has_marks(file: File) -> bool:
    """Whether a line of JSONL is marked private; one that looks so and cannot be read counts."""
    try:
        with open_below(file.root, file.real) as stream:
            if os.fstat(stream.fileno()).st_size > _MOST_BYTES:
                return True
            return any(_is_marked(line) for line in stream if _MARK.search(line))
    except OSError:  # the call itself says what is wrong with it
        return False


def _is_marked(line: bytes) -> bool:
    try:
        data: Any = json.loads(line)
    except (ValueError, RecursionError):
        return True
    return isinstance(data, dict) and any(
        value not in (False, None) for key, value in data.items() if is_private_key(key, value)
    )
