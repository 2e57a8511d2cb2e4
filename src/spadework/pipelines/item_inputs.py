"""Turns the INPUTS of the command line into the items of a run."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.config.confidential_folders import ConfidentialFolders
from spadework.engine.job_inputs import roots_of
from spadework.engine.thread_pools import CHECKING
from spadework.errors import ArgumentError, ReferenceRefused
from spadework.pipelines.items import Item
from spadework.pipelines.line_items import (
    is_jsonl,
    json_items,
    lines_of,
    note_on,
    text_items,
    text_of,
    text_of_stdin,
)
from spadework.references import refusals
from spadework.references.file_tree import files_of
from spadework.references.git.changed_files import changed_files, is_range
from spadework.references.git.git_reader import read_git
from spadework.references.git.grammar import is_git
from spadework.references.material import LeftOut
from spadework.references.private_files import PrivateFiles
from spadework.references.resolution import File, Tree, locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import TextIO

    from spadework.config.models import Config
    from spadework.engine.job import Session
    from spadework.pipelines.line_items import Line
    from spadework.references.roots import Roots

STDIN = "-"
_STDIN_NAME = "standard input"
_JSONL = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class FoundItems:
    """A run's items, the files in its folders and globs that are never read; notes."""

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()


async def find_items(
    inputs: Sequence[str],
    session: Session,
    config: Config,
    *,
    stdin: TextIO | None = None,
    private: bool = False,
) -> FoundItems:
    """List a run's items in the order of its inputs; a file that is named twice counts once.

    Args:
        inputs: paths, folders, globs and `path:START-END`: each file is an item. A `.jsonl` file
            that is named, or that a glob ending so finds: each line is one. `git:REV..REV`, or
            `git:REV` for one commit: each changed file is one. `-`: each line of standard input.
        session: whose project folder and roots it is.
        config: what may be read, and what is private.
        stdin: what `-` stands for.
        private: mark all items so, as in a confidential project.

    Raises:
        ArgumentError: the inputs hold no item, a line of JSONL is invalid, or stdin is not text.
        ReferenceRefused: an input may not be read or stands for nothing.
    """
    if not inputs:
        raise ArgumentError("no input was given", hint="name files, folders, a .jsonl file, or -")
    if list(inputs).count(STDIN) > 1:
        raise ArgumentError("`-` is given twice, and standard input can be read once")
    given = await text_of_stdin(stdin) if STDIN in inputs else ""
    limits = config.references
    roots = roots_of(session, config)
    folders = ConfidentialFolders.of(config)
    private = private or bool(await CHECKING.run(folders.reason, session.project))
    files = PrivateFiles.of(limits, roots, folders)
    gathering = _Gathering(roots, files, limits.max_file_bytes, private)
    await asyncio.to_thread(gathering.add_all, inputs, given)
    if not gathering.items:
        raise ArgumentError(f"no items found in {', '.join(inputs)}")
    numbered = enumerate(gathering.items, 1)
    items = tuple(dataclasses.replace(item, number=number) for number, item in numbered)
    return FoundItems(items, tuple(gathering.left_out.values()), tuple(gathering.notes))


@dataclass(slots=True)
class _Gathering:
    roots: Roots
    private_files: PrivateFiles
    most_bytes: int
    private: bool
    items: list[Item] = field(default_factory=list)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def add_all(self, inputs: Iterable[str], given: str) -> None:
        for one in inputs:
            if one == STDIN:
                self._add_lines(given)
            elif is_git(one):
                self._add_git(one)
            else:
                self._add_place(one)

    def _add_lines(self, given: str) -> None:
        lines = lines_of(given)
        if is_jsonl(lines):
            self._add_json(lines, _STDIN_NAME, private=self.private)
        else:
            self.items += text_items(lines, _STDIN_NAME, private=self.private)

    def _add_git(self, reference: str) -> None:
        if not is_range(reference):
            reading = read_git(reference, self.roots, self.most_bytes)
            self._add(reference, reference, reading.paths)
            return
        changed = changed_files(reference, self.roots)
        for file in changed.files:
            self._add(file.name, file.reference, file.paths)
        self.left_out |= {one.path: one for one in changed.left_out}

    def _add_place(self, reference: str) -> None:
        place = locate(reference, self.roots)
        if isinstance(place, File):
            self._add_file(place, opens=True)
            return
        files = list(files_of(place, self.roots))
        if not files:
            raise refusals.nothing_matched(reference)
        kept = [one for one in files if isinstance(one, File)]
        left_out = [one for one in files if isinstance(one, LeftOut)]
        if not kept:
            raise refusals.nothing_readable(reference, place.path, left_out)
        self.left_out |= {one.path: one for one in left_out}
        opens = place.pattern.lower().endswith(_JSONL)
        for file in kept:
            self._add_file(file, opens=opens)

    def _add_file(self, file: File, *, opens: bool) -> None:
        if opens and file.real.suffix.lower() in _JSONL:
            self._add_json_file(file)
        else:
            self._add(_name(file), _reference(file), (self.roots.project / file.path, file.real))

    def _add(self, name: str, reference: str, paths: tuple[Path, ...]) -> None:
        if reference not in self.seen:
            self.seen.add(reference)
            self.items.append(Item(0, name, reference, private=self._is_private(*paths)))

    def _add_json_file(self, file: File) -> None:
        key = f"lines of {_reference(file)}"
        if key in self.seen:
            return
        self.seen.add(key)
        lines = lines_of(text_of(file))
        if file.lines is not None:
            last = file.lines.last
            lines = [
                one for one in lines if file.lines.first <= one[0] and (not last or one[0] <= last)
            ]
        private = self._is_private(self.roots.project / file.path, file.real)
        self._add_json(lines, file.path, private=private)

    def _add_json(self, lines: Iterable[Line], where: str, *, private: bool) -> None:
        """Add items of JSONL; the paths among them are looked up as any other input is."""
        unknown: dict[str, int] = {}
        for item in json_items(lines, where, private=private, unknown=unknown):
            if item.path is None:
                self.items.append(item)
                continue
            at = f"{where}, line {item.number}"
            try:
                place = locate(item.path, self.roots)
            except ReferenceRefused as error:
                reason = str(error).removeprefix(f"reference {error.reference!r} refused: ")
                raise ArgumentError(f"{at}: {reason}", hint=error.hint) from error
            if isinstance(place, Tree):
                raise ArgumentError(
                    f"{at}: its path {item.path!r} is not a single file",
                    hint="name folders and globs on the command line",
                )
            own = item.private or self._is_private(self.roots.project / place.path, place.real)
            self.items.append(dataclasses.replace(item, path=_reference(place), private=own))
        self.notes += filter(None, [note_on(unknown, where)])

    def _is_private(self, *paths: Path) -> bool:
        return self.private or self.private_files.covers(*paths)


def _name(file: File) -> str:
    return file.path + _range(file)


def _reference(file: File) -> str:
    """Write a file as a reference that leads to it alone from any folder."""
    return f"{file.real}{_range(file)}"


def _range(file: File) -> str:
    if file.lines is None:
        return ""
    return f":{file.lines.first}-{'' if file.lines.last is None else file.lines.last}"
