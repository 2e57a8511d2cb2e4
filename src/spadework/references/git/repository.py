"""The repository that a project folder belongs to, if it may be read at all.

A `.git` folder that came with a download can point to another repository on this disk: by a `.git`
file, a link, `commondir`, `alternates` or `core.worktree`. So what git finds is believed only where
both ends say so.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.references.git.command import SECONDS, Git, trusted_folders
from spadework.references.git.grammar import leading_quoted
from spadework.references.git.limited_process import GitFailed
from spadework.references.syntax import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.references.roots import Roots

MOST_ENTRIES = 500_000  # of a repository's folders; git packs what is loose long before
LONGEST_ALTERNATES = 1 << 20  # bytes
DEEPEST = 5  # alternates of alternates; git ignores what is deeper
_FOLDERS = ("refs", "logs", "reftable", "worktrees")
_FILES = ("HEAD", "packed-refs", "index", "shallow", "commondir", "gitdir")


def check_layout(roots: Roots, folder: Path, common: Path) -> None:
    """Make sure that git reads nothing of another repository.

    Args:
        roots: where objects may come from.
        folder: the `.git` folder, without links.
        common: the one that it shares with other worktrees, often the same.

    Raises:
        GitFailed: a link leads elsewhere, objects lie outside the roots, or it is too large to
            be looked through.
    """
    check = _Check(roots, MOST_ENTRIES)
    for one in dict.fromkeys((folder, common)):
        check.own_files(one)
    check.objects(common / "objects", 0)


@dataclass(slots=True)
class _Check:
    roots: Roots
    left: int
    seen: set[Path] = field(default_factory=set)

    def own_files(self, folder: Path) -> None:
        for name in _FOLDERS:
            self._tree(folder / name)
        for entry in _entries(folder):
            is_read = entry.name in _FILES or entry.name.endswith("_HEAD")
            if is_read or entry.name.startswith("sharedindex."):
                self._entry(entry, may_be_ref=entry.name == "HEAD")

    def objects(self, folder: Path, depth: int) -> None:
        """Check a folder of objects and those that it borrows from."""
        if folder in self.seen:
            return
        self.seen.add(folder)
        self._tree(folder)
        for lender in _alternates(folder):
            real = lender.resolve()
            if not self.roots.root_of(real):
                named = printable(str(real))
                reason = f"its objects lie in {named} too, outside the roots (alternates)"
                raise GitFailed(reason)
            if depth == DEEPEST:
                raise GitFailed("its alternates have alternates, too deep to follow")
            self.objects(real, depth + 1)

    def _tree(self, folder: Path) -> None:
        """Refuse links anywhere below a folder, and the folder itself being one."""
        if folder.is_symlink():
            raise _leads_away(folder)
        pending = [folder]
        while pending:
            for entry in _entries(pending.pop()):
                self._entry(entry)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))

    def _entry(self, entry: os.DirEntry[str], *, may_be_ref: bool = False) -> None:
        self.left -= 1
        if self.left < 0:
            reason = f"its .git holds more than {MOST_ENTRIES:,} files: run `git gc` there"
            raise GitFailed(reason)
        if entry.is_symlink():
            if not (may_be_ref and _names_a_ref(Path(entry.path).readlink())):
                raise _leads_away(entry.path)
        elif not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            raise GitFailed(f"{printable(entry.path)} is neither a file nor a folder")


def _leads_away(path: str | Path) -> GitFailed:
    return GitFailed(f"{printable(str(path))} is a symlink, which is not followed")


def _names_a_ref(target: Path) -> bool:
    """Whether a link is how old versions of git wrote HEAD."""
    return target.parts[0] == "refs" and ".." not in target.parts


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise GitFailed(f"{printable(str(folder))} cannot be read") from error


def _alternates(objects: Path) -> Iterator[Path]:
    """The folders that a folder of objects borrows from, read as git does (object-file.c)."""
    path = objects / "info" / "alternates"
    try:
        with path.open("rb") as stream:
            text = stream.read(LONGEST_ALTERNATES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise GitFailed(f"{printable(str(path))} cannot be read") from error
    if len(text) > LONGEST_ALTERNATES:
        raise GitFailed(f"{printable(str(path))} is too long")
    for entry in _parse_alternates(text.partition(b"\0")[0]):
        # Git takes `..` away by the text alone, before any link is followed.
        yield Path(os.path.normpath(objects / os.fsdecode(entry)))


def _parse_alternates(text: bytes) -> Iterator[bytes]:
    """Split at line ends; after a quoted entry the next one begins one byte further, as in git."""
    while text:
        if not text.startswith(b"#") and (quoted := leading_quoted(text)):
            entry, end = quoted
            text = text[end + 1 :]
        else:
            entry, _, text = text.partition(b"\n")
            if entry.startswith(b"#"):
                continue
        if entry:
            yield entry


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree.

    `git` runs in the project folder, `top` is the work tree's folder, `common` the `.git` folder
    that all its work trees share, `prefix` is the project folder seen from `top`, with a slash at
    its end. `is_whole` says that all of it may be read; else the project folder is all.
    """

    git: Git
    top: Path
    common: Path
    prefix: str
    is_whole: bool

    def has_submodule(self, path: str, roots: Roots) -> bool:
        """Whether a submodule's own `.git` is inside the roots or the repository."""
        pointer = self.top / path / ".git"
        named = _text(pointer) if pointer.is_file() else ""
        folder = pointer.parent / named.removeprefix("gitdir:").strip() if named else pointer
        real = folder.resolve()
        return roots.root_of(real) is not None or real.is_relative_to(self.common / "modules")


def find_repository(roots: Roots) -> Repository:
    """Find the repository of the project folder.

    Raises:
        GitFailed: there is none, or it is not what it seems to be; other errors as in `Git.run`.
    """
    finder = Git(roots.project, trusted_folders(), deadline=time.monotonic() + SECONDS)
    top = Path(finder.line("rev-parse", "--show-toplevel"))
    folder = Path(finder.line("rev-parse", "--absolute-git-dir")).resolve()
    common = Path(finder.line("rev-parse", "--git-common-dir"))
    common = (roots.project / common).resolve()
    _check(roots, top.resolve(), folder, common)
    prefix = finder.line("rev-parse", "--show-prefix")
    environment = {"GIT_DIR": str(folder), "GIT_WORK_TREE": str(top)}
    if common != folder:
        environment["GIT_COMMON_DIR"] = str(common)
    git = replace(finder, config=(*finder.config, *finder.filters()), environment=environment)
    return Repository(git, top, common, prefix, roots.root_of(top.resolve()) is not None)


def _check(roots: Roots, top: Path, folder: Path, common: Path) -> None:
    if not roots.project.is_relative_to(top):
        raise GitFailed(f"its work tree is another folder, {top}")
    if not _belongs(roots, top, folder, common):
        raise GitFailed(f"its .git leads to {folder}, which does not know this folder")
    check_layout(roots, folder, common)


def _belongs(roots: Roots, top: Path, folder: Path, common: Path) -> bool:
    """Whether a repository is the project's own: its plain .git, a worktree, or a submodule's."""
    pointer = top / ".git"
    if folder == pointer and pointer.is_dir():
        return common == folder
    if roots.root_of(folder) and roots.root_of(common):
        return True
    if common.joinpath("worktrees") == folder.parent:
        back = _text(folder / "gitdir").strip()
        return (folder / back).resolve() == pointer
    return common == folder and _work_tree(folder) == top


def _work_tree(folder: Path) -> Path | None:
    """The work tree that a submodule's repository names."""
    try:
        named = Git(folder, environment={"GIT_DIR": str(folder)}).line("config", "core.worktree")
    except GitFailed:
        return None
    return (folder / named).resolve()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""
