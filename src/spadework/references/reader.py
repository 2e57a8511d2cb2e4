"""References in, material out: the one way in for what the models are given to read.

Or the files that references stand for, one by one, before any of them is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import ReferenceRefused
from spadework.references import refusals
from spadework.references.cancellation import WorkStopped, checkpoint
from spadework.references.documents.converter import Converter
from spadework.references.file_reader import Reading, read_file
from spadework.references.file_tree import files_of
from spadework.references.git.git_reader import read_git
from spadework.references.git.grammar import is_git
from spadework.references.material import LeftOut, Material, Source
from spadework.references.private_files import PrivateFiles
from spadework.references.resolution import File, Tree, locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.config.confidential_folders import ConfidentialFolders
    from spadework.config.models import ReferencesConfig
    from spadework.references.roots import Roots
    from spadework.references.syntax import LineRange

__all__ = ["LeftOut", "Listing", "Material", "Source", "list_files", "read_references"]


def read_references(
    references: Sequence[str],
    *,
    roots: Roots,
    limits: ReferencesConfig,
    confidential: ConfidentialFolders | None = None,
) -> Material:
    """Read what the references stand for, in their order; inside a folder or a glob by path.

    A file is read once, where it is named first; different ranges of one file are all kept. An
    empty file that is named itself is a source without lines; in a folder or a glob it is left out.

    Args:
        references: paths, folders, globs, `path:START-END`, `path:LINE` or `path:START-`, and what
            git shows: `git:diff`, `git:show REV`, `git:log -20`.
        roots: where they may lead.
        limits: how much may be read, and what is private.
        confidential: folders whose files are private too.

    Raises:
        ReferenceRefused: one of them may not be read, stands for nothing, or could not be read
            in the time of the call (see `cancellation`). Nothing is returned of the others then:
            half an answer is never given silently.
    """
    places = [one if is_git(one) else locate(one, roots) for one in references]
    found = [_files_of(one, roots) if isinstance(one, Tree) else [] for one in places]
    matched = sum(len(files) or 1 for files in found)
    with Converter.of(limits.convert_seconds, limits.max_document_bytes) as converter:
        private = PrivateFiles.of(limits, roots, confidential)
        gathering = _Gathering(roots, limits, private, converter, matched)
        for reference, place, files in zip(references, places, found, strict=True):
            try:
                gathering.add_place(place, files)
            except WorkStopped as error:
                raise refusals.out_of_time(reference) from error
        return gathering.material()


def _files_of(tree: Tree, roots: Roots) -> list[File | LeftOut]:
    try:
        found = list(files_of(tree, roots))
    except WorkStopped as error:
        raise refusals.out_of_time(tree.reference, tree.path) from error
    if not found:
        raise refusals.nothing_matched(tree.reference)
    return found


@dataclass(slots=True)
class _Gathering:
    roots: Roots
    limits: ReferencesConfig
    private: PrivateFiles
    converter: Converter
    matched: int
    sources: dict[tuple[Path, LineRange | None], Source] = field(default_factory=dict)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    bytes: int = 0

    def material(self) -> Material:
        return Material(tuple(self.sources.values()), tuple(self.left_out.values()))

    def add_place(self, place: Tree | File | str, files: Sequence[File | LeftOut]) -> None:
        checkpoint()
        if isinstance(place, Tree):
            self.add_all(place, files)
        elif isinstance(place, File):
            self.add(place)
        else:
            self.add_git(place)

    def add(self, file: File) -> None:
        if not self._has(file):
            self._keep_file(file, read_file(file, self.limits, self.converter))

    def add_git(self, reference: str) -> None:
        key = (Path(reference), None)  # a relative path, so no file's
        if key in self.sources:
            return
        reading = read_git(reference, self.roots, self.limits.max_file_bytes)
        lines = reading.text.count("\n") + (reading.text[-1:] not in {"", "\n"})
        source = Source(
            path=reference,
            text=reading.text,
            first_line=1,
            last_line=lines,
            total_lines=lines,
            bytes=len(reading.text.encode(errors="surrogatepass")),
            encoding="utf-8",
            private=any(map(self.private.covers, reading.paths)),
            confidential=self.private.is_confidential(*reading.paths),
            note=reading.note,
        )
        self._keep(key, source)
        self.left_out |= {f"{reference} {one.path}": one for one in reading.left_out}

    def add_all(self, tree: Tree, found: Sequence[File | LeftOut]) -> None:
        left_out = []
        for one in found:
            checkpoint()
            if out := self._add_if_text(one):
                left_out.append(out)
        if len(left_out) == len(found):
            raise refusals.nothing_readable(tree.reference, tree.path, left_out)
        self.left_out |= {out.path: out for out in left_out}

    def _add_if_text(self, found: File | LeftOut) -> LeftOut | None:
        if isinstance(found, LeftOut):
            return found
        if self._has(found):
            return None
        try:
            reading = read_file(found, self.limits, self.converter)
        except ReferenceRefused as refusal:
            return refusals.leave_out(found.path, refusal)
        if reading.excerpt.total_lines == 0:
            return LeftOut(found.path, "empty")
        self._keep_file(found, reading)
        return None

    def _has(self, file: File) -> bool:
        return (file.real, file.lines) in self.sources

    def _keep_file(self, file: File, reading: Reading) -> None:
        source = Source(
            path=file.path,
            text=reading.excerpt.text,
            first_line=reading.excerpt.first_line,
            last_line=reading.excerpt.last_line,
            total_lines=reading.excerpt.total_lines,
            bytes=reading.bytes,
            encoding=reading.encoding,
            private=self.private.covers(self.roots.absolute(file.path), file.real),
            confidential=self.private.is_confidential(self.roots.absolute(file.path), file.real),
            note=reading.note,
        )
        self._keep((file.real, file.lines), source)
        self.left_out.pop(file.path, None)

    def _keep(self, key: tuple[Path, LineRange | None], source: Source) -> None:
        self.bytes += source.bytes
        if self.bytes > self.limits.max_total_bytes:
            raise self._too_much(source, self.limits.max_total_bytes, "bytes", "max_total_bytes")
        if len(self.sources) == self.limits.max_files:
            raise self._too_much(source, self.limits.max_files, "text files", "max_files")
        self.sources[key] = source

    def _too_much(self, source: Source, limit: int, what: str, key: str) -> ReferenceRefused:
        reason = f"more than {limit:,} {what} for one call; {self.matched:,} files match in all"
        hint = f"name fewer files or narrower patterns, or raise references.{key} in the config"
        return refusals.too_much(source.path, reason, hint)


@dataclass(frozen=True, slots=True)
class Listing:
    """References of single files, in order and each once, and what is never read."""

    references: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def list_files(references: Sequence[str], roots: Roots, most: int) -> Listing:
    """List the files; inside a folder or a glob by path.

    Args:
        references: paths, folders, globs, ranges and what git shows, as `read_references` takes
            them; what git shows is one item.
        roots: where they may lead.
        most: how many files there may be.

    Raises:
        ReferenceRefused: one of them may not be read or stands for nothing, or there are too many.
    """
    found: dict[str, None] = {}
    left_out: dict[str, LeftOut] = {}
    for reference in references:
        if is_git(reference):
            found[reference] = None
            continue
        place = locate(reference, roots)
        if isinstance(place, File):
            found[_reference(place)] = None
            continue
        for file in _files_of(place, roots):
            if isinstance(file, LeftOut):
                left_out[file.path] = file
            else:
                found[_reference(file)] = None
        if len(found) > most:
            reason = f"more than {most:,} files"
            hint = "name fewer files or narrower patterns, or raise each.max_items in the config"
            raise refusals.too_much(reference, reason, hint)
    return Listing(tuple(found), tuple(left_out.values()))


def _reference(file: File) -> str:
    """Write a file as a reference that leads to it alone: what exists under a name wins."""
    path = f"./{file.path}" if is_git(file.path) or file.path.startswith("~") else file.path
    if file.lines is None:
        return path
    last = "" if file.lines.last is None else file.lines.last
    return f"{path}:{file.lines.first}-{last}"
