"""Where a reference leads: to one file, or to a tree of them, always inside the roots."""

from __future__ import annotations

import difflib
import os
import stat
import unicodedata
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.references import refusals
from spadework.references.credential_files import credential_pattern
from spadework.references.syntax import (
    LONGEST_REFERENCE,
    LineRange,
    has_wildcards,
    parse_lines,
    printable,
    split_glob,
    split_lines,
    unprintable,
)

if TYPE_CHECKING:
    from spadework.errors import ReferenceRefused
    from spadework.references.roots import Roots

MOST_COMPARED = 1000  # names of a folder, for a suggestion
KINDS = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


@dataclass(frozen=True, slots=True)
class File:
    """A regular file inside the roots that is no credential file by its name.

    `path` is how it is shown, `real` its absolute path without symlinks, `root` the root above it.
    """

    reference: str
    path: str
    real: Path
    root: Path
    lines: LineRange | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The files below a folder whose path, seen from there, matches a glob."""

    reference: str
    path: str
    real: Path
    root: Path
    pattern: str = "**"


def locate(reference: str, roots: Roots) -> File | Tree:
    """Find what a reference stands for.

    What exists under exactly that name wins over its reading as a range or a glob.

    Raises:
        ReferenceRefused: it leads to nothing, out of the roots, or to what is never read.
    """
    _refuse_odd_characters(reference)
    if path := _existing(reference, roots):
        return place(reference, path, roots)
    name, lines = split_lines(reference)
    if lines is not None and (path := _existing(name, roots)):
        return _lines_of(place(reference, path, roots), lines)
    if not has_wildcards(reference):
        raise _nothing_there(reference, name, roots)
    if lines and not lines.strip("0123456789-"):
        raise refusals.bad_range(reference, name, "a range needs one file, this is a glob")
    return _glob(reference, roots)


def place(reference: str, path: Path, roots: Roots) -> File | Tree:
    """Judge an absolute path that exists, symlinks resolved.

    Raises:
        ReferenceRefused: it may not be read.
    """
    real, root = _real(reference, path, roots)
    shown = roots.shown(path, real)
    try:
        mode = real.stat().st_mode
    except OSError as error:
        raise refusals.unreadable(reference, shown, error) from error
    if stat.S_ISDIR(mode):
        if ".git" in map(str.lower, real.relative_to(root).parts):
            raise refusals.git_folder(reference, shown)
        return Tree(reference, shown, real, root)
    if not stat.S_ISREG(mode):
        raise refusals.not_a_file(reference, shown, KINDS.get(stat.S_IFMT(mode), "special file"))
    refuse_credentials(reference, shown, path, real)
    return File(reference, shown, real, root)


def refuse_credentials(reference: str, shown: str, *paths: Path) -> None:
    """Refuse a file that is known as a credential file by one of its absolute paths."""
    for path in {*paths}:
        if pattern := credential_pattern(path.as_posix()):
            reason = f"it is a credential file ({pattern})"
            raise refusals.credential_file(reference, shown, reason)


def _refuse_odd_characters(reference: str) -> None:
    if not reference.strip():
        raise refusals.bad_reference(reference, "it is empty")
    if len(reference) > LONGEST_REFERENCE:
        reason = f"it is longer than {LONGEST_REFERENCE} characters"
        raise refusals.bad_reference(reference[:80], reason)
    if character := unprintable(reference):
        raise refusals.bad_reference(printable(reference), f"it holds the character {character}")


def _absolute(reference: str, roots: Roots) -> Path:
    if reference == "~" or reference.startswith("~/"):
        reference = os.path.expanduser(reference)  # noqa: PTH111 - Path's raises without a home
    return roots.project / reference


def _existing(reference: str, roots: Roots) -> Path | None:
    """The absolute path, if it exists so or in another Unicode form (macOS writes NFD)."""
    forms = (reference, *(unicodedata.normalize(form, reference) for form in ("NFC", "NFD")))
    paths = (_absolute(form, roots) for form in dict.fromkeys(forms))
    return next((path for path in paths if os.path.lexists(path)), None)


def _real(reference: str, path: Path, roots: Roots) -> tuple[Path, Path]:
    """Resolve symlinks, whether anything exists there or not; give the root that holds it too."""
    try:
        real = Path(os.path.realpath(path))  # Path.resolve raises on a loop before Python 3.13
    except OSError as error:  # a link that vanishes while it is being followed
        raise refusals.changed(reference, reference) from error
    if root := roots.root_of(real):
        return real, root
    through_link = ".." not in path.parts and roots.root_of(path)
    target = "" if roots.names else f"to {printable(str(real))}, "  # not for other machines
    place = f"a symlink leads {target}outside" if through_link else "it is outside"
    raise refusals.outside_roots(reference, f"{place} the roots", roots)


def _lines_of(found: File | Tree, lines: str) -> File:
    if isinstance(found, Tree):
        reason = "a range needs one file, this is a folder"
        raise refusals.bad_range(found.reference, found.path, reason)
    try:
        return replace(found, lines=parse_lines(lines))
    except ValueError as error:
        raise refusals.bad_range(found.reference, found.path, str(error)) from error


def _glob(reference: str, roots: Roots) -> Tree:
    try:
        folder, pattern = split_glob(reference)
    except ValueError as error:
        raise refusals.bad_reference(reference, str(error)) from error
    path = _existing(folder, roots)
    if path is None:
        raise _nothing_there(reference, folder, roots)
    found = place(reference, path, roots)
    if isinstance(found, File):
        reason = "it is a file, so no glob matches below it"
        raise refusals.not_found(reference, found.path, reason)
    return replace(found, pattern=unicodedata.normalize("NFC", pattern))


def _nothing_there(reference: str, name: str, roots: Roots) -> ReferenceRefused:
    path = _absolute(name, roots)
    real, _ = _real(reference, path, roots)
    hint = f"relative references start at {roots.start()}"
    if close := _close_names(path):
        hint = f"did you mean {' or '.join(close)}?"
    return refusals.not_found(reference, roots.shown(path, real), "it does not exist", hint)


def _close_names(path: Path) -> list[str]:
    """Names in the same folder that are written alike, the case of letters aside."""
    try:
        with os.scandir(path.parent) as entries:
            names = {entry.name.lower(): entry.name for entry in islice(entries, MOST_COMPARED)}
    except OSError:  # no such folder, so there is nothing to suggest
        return []
    close = difflib.get_close_matches(path.name.lower(), names)
    return [printable(names[name]) for name in close]
