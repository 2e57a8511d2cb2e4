"""The files that references stand for, one by one, before any of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.references import refusals
from spadework.references.cancellation import WorkStopped
from spadework.references.file_tree import files_of
from spadework.references.git.grammar import is_git
from spadework.references.material import LeftOut
from spadework.references.resolution import File, locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.references.roots import Roots


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
        try:
            files = list(files_of(place, roots))
        except WorkStopped as error:
            raise refusals.out_of_time(reference, place.path) from error
        if not files:
            raise refusals.nothing_matched(reference)
        for file in files:
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
