"""The files of a folder or a glob, in the order of their paths.

Hidden files belong to it, for `*` and `**` as for a folder, as with `git ls-files`; so `docs/` and
`docs/**` are the same. What .gitignore names is passed over, ignored folders are never entered, nor
is `.git`. The folder that a reference names itself is searched even if it is ignored. A symlink to
a file inside the roots is followed, one to a folder is not.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from spadework.errors import ReferenceRefused
from spadework.references import refusals
from spadework.references.cancellation import checkpoint
from spadework.references.gitignore import (
    IGNORE_FILE,
    IgnoreFile,
    ignore_file_in,
    ignore_files_above,
    is_ignored,
)
from spadework.references.material import LeftOut
from spadework.references.resolution import File, Tree, place, refuse_credentials
from spadework.references.syntax import printable, unprintable
from spadework.references.wildcards import NEVER, wildcard_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spadework.references.roots import Roots

MOST_ENTRIES = 200_000  # of a search, and of one folder with what git ignores there
ENTRIES_BETWEEN_CHECKPOINTS = 500


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """Something in a tree. Its path is seen from the tree's folder; a folder's ends in a slash.

    `ignore_files` are those that hold for it.
    """

    path: str
    kind: Literal["folder", "file", "symlink", "special"]
    ignore_files: tuple[IgnoreFile, ...]


def files_of(
    tree: Tree, roots: Roots, *, most_entries: int = MOST_ENTRIES
) -> Iterator[File | LeftOut]:
    """Find the files of a tree, sorted by the code points of their paths.

    Args:
        tree: where to search, and for what.
        roots: where symlinks may lead.
        most_entries: how many files and folders are looked at before the search is refused.

    Yields:
        The files, and what matches but is never read.

    Raises:
        ReferenceRefused: there is more to search than one call may.
    """
    belongs = _matcher(tree.pattern)
    pending = [TreeEntry("", "folder", ignore_files_above(tree.real, tree.root))]
    searched = 0
    while pending:
        checkpoint()
        entry = pending.pop()
        if entry.kind != "folder" or unprintable(entry.path):
            yield _judge(tree, entry, roots)
            continue
        try:
            inside = _entries(tree, entry, most_entries)
        except OSError as error:
            yield LeftOut(_shown(tree, entry), f"cannot be listed: {error.strerror}")
            continue
        searched += len(inside)
        if searched > most_entries:
            raise _too_many(tree, most_entries)
        pending += [one for one in reversed(inside) if belongs(one)]


def _too_many(tree: Tree, most: int) -> ReferenceRefused:
    reason = f"there are more than {most:,} files and folders to look through"
    return refusals.too_much(tree.reference, reason, "name a folder further down")


def _entries(tree: Tree, folder: TreeEntry, most: int) -> list[TreeEntry]:
    """What a folder holds and git does not ignore, sorted so that whole paths come out sorted."""
    real = tree.real / folder.path
    found = []
    with os.scandir(real) as listing:
        for number, one in enumerate(listing):
            if number >= most:
                raise _too_many(tree, most)
            if one.name.lower() != ".git":
                found.append(one)
            if not number % ENTRIES_BETWEEN_CHECKPOINTS:
                checkpoint()
    ignore_files = folder.ignore_files
    own = ignore_file_in(real) if any(one.name == IGNORE_FILE for one in found) else None
    if own:
        ignore_files += (own,)
    entries = [_entry(folder.path, one, ignore_files) for one in found]
    above = f"{tree.real}/".replace("//", "/")
    kept = []
    for number, entry in enumerate(entries):
        if not number % ENTRIES_BETWEEN_CHECKPOINTS:
            checkpoint()
        if not is_ignored(above + entry.path, ignore_files):
            kept.append(entry)
    return sorted(kept, key=lambda one: one.path)


def _entry(above: str, found: os.DirEntry[str], ignore_files: tuple[IgnoreFile, ...]) -> TreeEntry:
    path = above + found.name
    if found.is_symlink():
        return TreeEntry(path, "symlink", ignore_files)
    if found.is_dir():
        return TreeEntry(f"{path}/", "folder", ignore_files)
    return TreeEntry(path, "file" if found.is_file() else "special", ignore_files)


def _matcher(pattern: str) -> Callable[[TreeEntry], bool]:
    """Tell the entries that a glob wants: files that match, folders that can hold such."""
    names = pattern.split("/")
    fixed = list(takewhile(lambda name: name.strip("*") or name == "*", names))
    above = ["/".join(fixed[: depth + 1]) for depth in range(min(len(fixed), len(names) - 1))]
    levels = [wildcard_regex(folder) + "/" for folder in above]
    if len(fixed) < len(names):  # a `**`: any folder behind it
        levels.append(wildcard_regex("/".join([*fixed, "**"])))
    folders = re.compile("|".join(levels) or NEVER, re.DOTALL)
    files = re.compile(wildcard_regex(pattern), re.DOTALL)

    def belongs(entry: TreeEntry) -> bool:
        regex = folders if entry.kind == "folder" else files
        return regex.fullmatch(unicodedata.normalize("NFC", entry.path)) is not None

    return belongs


def _judge(tree: Tree, entry: TreeEntry, roots: Roots) -> File | LeftOut:
    shown = _shown(tree, entry)
    if character := unprintable(entry.path):
        return LeftOut(shown, f"its name holds the character {character}")
    if entry.kind == "special":
        return LeftOut(shown, "device, FIFO or socket")
    path = tree.real / entry.path
    try:
        refuse_credentials(tree.reference, shown, path, roots.project / shown)
        if entry.kind == "file":
            return File(tree.reference, shown, path, tree.root)
        target = place(tree.reference, path, roots)
    except ReferenceRefused as refusal:
        return refusals.leave_out(shown, refusal)
    if isinstance(target, Tree):
        return LeftOut(shown, "symlink to a folder, not followed")
    return replace(target, path=shown)


def _shown(tree: Tree, entry: TreeEntry) -> str:
    path = entry.path if tree.path == "." else f"{tree.path}/{entry.path}"
    return printable(path) or "."
