"""References in, material out: the one way in for what the models are given to read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from journeyman.errors import ReferenceRefused
from journeyman.inputs import refusals
from journeyman.inputs.patterns import PatternList, pattern_list
from journeyman.inputs.places import File, Tree, locate
from journeyman.inputs.reading import Reading, read_file
from journeyman.inputs.sources import LeftOut, Material, Source
from journeyman.inputs.trees import files_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journeyman.config.models import ReferencesConfig
    from journeyman.inputs.references import LineRange
    from journeyman.inputs.roots import Roots

__all__ = ["LeftOut", "Material", "Source", "read_references"]


def read_references(
    references: Sequence[str], *, roots: Roots, limits: ReferencesConfig
) -> Material:
    """Read what the references stand for, in their order; inside a folder or a glob by path.

    A file is read once, where it is named first; different ranges of one file are all kept. An
    empty file that is named itself is a source without lines; in a folder or a glob it is left out.

    Args:
        references: paths, folders, globs, and `path:START-END`, `path:LINE` or `path:START-`.
        roots: where they may lead.
        limits: how much may be read, and what is private.

    Raises:
        ReferenceRefused: one of them may not be read, or stands for nothing. Nothing is returned
            of the others then: there is no silent half answer.
    """
    places = [locate(reference, roots) for reference in references]
    found = [[one] if isinstance(one, File) else list(files_of(one, roots)) for one in places]
    gathering = _Gathering(roots, limits, _private_patterns(limits), sum(map(len, found)))
    for place, files in zip(places, found, strict=True):
        if isinstance(place, File):
            gathering.add(place)
        else:
            gathering.add_all(place, files)
    return gathering.material()


def _private_patterns(limits: ReferencesConfig) -> PatternList:
    return pattern_list(unicodedata.normalize("NFC", "\n".join(limits.private)), re.IGNORECASE)


@dataclass(slots=True)
class _Gathering:
    roots: Roots
    limits: ReferencesConfig
    private: PatternList
    matched: int
    sources: dict[tuple[Path, LineRange | None], Source] = field(default_factory=dict)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    bytes: int = 0

    def material(self) -> Material:
        return Material(tuple(self.sources.values()), tuple(self.left_out.values()))

    def add(self, file: File) -> None:
        if not self._has(file):
            self._keep(file, read_file(file, self.limits.max_file_bytes))

    def add_all(self, tree: Tree, found: Sequence[File | LeftOut]) -> None:
        if not found:
            raise refusals.nothing_matched(tree.reference)
        left_out = [out for one in found if (out := self._add_if_text(one))]
        if len(left_out) == len(found):
            raise refusals.nothing_readable(tree.reference, tree.path, left_out)
        self.left_out |= {out.path: out for out in left_out}

    def _add_if_text(self, found: File | LeftOut) -> LeftOut | None:
        if isinstance(found, LeftOut):
            return found
        if self._has(found):
            return None
        try:
            reading = read_file(found, self.limits.max_file_bytes)
        except ReferenceRefused as refusal:
            return refusals.leave_out(found.path, refusal)
        if not reading.excerpt.total_lines:
            return LeftOut(found.path, "empty")
        self._keep(found, reading)
        return None

    def _has(self, file: File) -> bool:
        return (file.real, file.lines) in self.sources

    def _keep(self, file: File, reading: Reading) -> None:
        self.bytes += reading.bytes
        if self.bytes > self.limits.max_total_bytes:
            raise self._too_much(file, self.limits.max_total_bytes, "bytes", "max_total_bytes")
        if len(self.sources) == self.limits.max_files:
            raise self._too_much(file, self.limits.max_files, "text files", "max_files")
        self.left_out.pop(file.path, None)
        self.sources[file.real, file.lines] = Source(
            path=file.path,
            text=reading.excerpt.text,
            first_line=reading.excerpt.first_line,
            last_line=reading.excerpt.last_line,
            total_lines=reading.excerpt.total_lines,
            bytes=reading.bytes,
            encoding=reading.encoding,
            private=self._is_private(file),
        )

    def _is_private(self, file: File) -> bool:
        """By the path that leads to it or by its real one, seen from its root; any case counts."""
        paths = {self.roots.project / file.path, file.real}
        below = [path.relative_to(root) for path in paths if (root := self.roots.root_of(path))]
        return any(self.private.covers(unicodedata.normalize("NFC", str(one))) for one in below)

    def _too_much(self, file: File, limit: int, what: str, key: str) -> ReferenceRefused:
        reason = f"more than {limit:,} {what} for one call; {self.matched:,} files match in all"
        hint = f"name fewer files or narrower patterns, or raise references.{key} in the config"
        return refusals.too_much(file.reference, reason, hint)
