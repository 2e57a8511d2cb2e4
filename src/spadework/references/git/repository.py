"""The repository that a project folder belongs to, if it may be read at all.

A `.git` folder that came with a download can point to another repository on this disk: by a `.git`
file, a link, `commondir`, `alternates` or `core.worktree`. So what git finds is believed only where
both ends say so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.references.git.command import SECONDS, Git, trusted_folders
from spadework.references.git.layout import check_layout
from spadework.references.git.limited_process import GitFailed

if TYPE_CHECKING:
    from spadework.references.roots import Roots


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
