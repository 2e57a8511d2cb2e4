"""A `git:` reference as text, without what may not be read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.references import refusals
from spadework.references.credential_files import credential_pattern, holds_private_key
from spadework.references.git.blobs import blobs_with_keys, reason_against_file
from spadework.references.git.command import SECONDS
from spadework.references.git.grammar import FORMS, GitReference, Revisions, parse
from spadework.references.git.limited_process import (
    MEMORY,
    GitFailed,
    GitMissing,
    GitTooBig,
    GitTooLong,
    GitTooSlow,
)
from spadework.references.git.patches import PatchSection, UnknownFormat, sections_of
from spadework.references.git.repository import Repository, find_repository
from spadework.references.material import LeftOut
from spadework.references.syntax import printable, unprintable
from spadework.references.text_decoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spadework.references.roots import Roots

COMMON = (
    "--full-index",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--find-renames",
    "--ignore-submodules=dirty",  # else git runs in the submodule, with the submodule's config
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
OF_COMMITS = ("--no-show-signature", "--no-notes", "--no-decorate", "--diff-merges=first-parent")
IN_SUBMODULE = "a submodule whose repository is outside the roots"


@dataclass(frozen=True, slots=True)
class GitReading:
    """The output of git for a reference.

    `paths` are the absolute paths of the files whose content is in it. `note` says why
    `text` is empty; it is empty itself where `text` is not.
    """

    text: str
    paths: tuple[Path, ...]
    left_out: tuple[LeftOut, ...] = ()
    note: str = ""


def read_git(reference: str, roots: Roots, limit: int) -> GitReading:
    """Read what a `git:` reference stands for, in the repository of the project folder.

    Args:
        reference: one of `FORMS`.
        roots: the project folder, and what may be read.
        limit: the most that git may print, in bytes.

    Raises:
        ReferenceRefused: the reference is invalid, its repository, revision or file is unknown,
            the file may not be read, or it is too much.
    """
    if character := unprintable(reference):
        reason = f"it holds the character {character}"
        raise refusals.bad_reference(printable(reference), reason)
    try:
        request = parse(reference)
    except ValueError as error:
        raise refusals.bad_git(reference, str(error), FORMS) from error
    with as_refusals(reference, f"it is over the limit of {limit:,} bytes for one file"):
        repository = find_repository(roots)
        if request.file:
            return _read_file(reference, request, repository, limit)
        return _read_output(request, repository, roots, limit)


@contextmanager
def as_refusals(reference: str, too_long: str) -> Iterator[None]:
    """Turn what git failed with into refusals.

    Args:
        reference: what is refused.
        too_long: the reason if git printed too much.

    Raises:
        ReferenceRefused: instead of each exception of `Git.run`.
    """
    try:
        yield
    except GitMissing as error:
        raise refusals.git_failed(reference, "git is not installed") from error
    except (GitFailed, UnknownFormat) as error:
        raise refusals.git_failed(reference, printable(str(error))) from error
    except GitTooSlow as error:
        raise refusals.git_too_much(reference, f"git took more than {SECONDS:g} s") from error
    except GitTooBig as error:
        reason = f"git needs more memory than {MEMORY >> 20} MiB for it"
        raise refusals.git_too_much(reference, reason) from error
    except GitTooLong as error:
        raise refusals.git_too_much(reference, too_long) from error


def _read_output(
    request: GitReference, repository: Repository, roots: Roots, limit: int
) -> GitReading:
    of_commits: tuple[str, ...] = () if request.command == "diff" else OF_COMMITS
    if request.shows_messages_only:
        of_commits += ("--no-patch",)  # --diff-merges alone makes `git log` print patches of merges
    named = request.revisions
    if request.command == "show":
        named = named or (Revisions("HEAD"),)
    revisions = [resolved(one, repository) for one in named]
    paths = request.paths or (() if repository.is_whole else (".",))
    output = repository.git.run(
        request.command, *COMMON, *of_commits, *request.flags, *revisions, "--", *paths, most=limit
    )
    sections = tuple(sections_of(output, has_patch=request.has_patch))
    reasons = _Reasons(repository, roots, sections)
    kept: list[PatchSection] = []
    left_out: list[LeftOut] = []
    for section in sections:
        if reason := reasons.against(section):
            left_out.append(LeftOut(printable(section.paths[-1]), reason))
        else:
            kept.append(section)
    text = "".join(one.text for one in kept)
    shown = dict.fromkeys(repository.top / path for one in kept for path in one.paths)
    note = "" if text.strip() else _why_empty(request, left_out)
    return GitReading(text if text.strip() else "", tuple(shown), tuple(left_out), note)


def _why_empty(request: GitReference, left_out: list[LeftOut]) -> str:
    if left_out:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        return f"nothing of it may be read: {left_out[0].path} ({left_out[0].reason}){more}"
    if request.command == "log":
        return "no commit is in it"
    if request.command == "show":
        return "no change is in it"
    within = " in these paths" if request.paths else ""
    if {"--staged", "--cached"} & set(request.flags):
        return f"nothing staged{within}; for unstaged changes use git:diff"
    if request.revisions:
        return f"no difference{within}"
    return f"nothing unstaged{within}; for staged changes use git:diff --staged"


class _Reasons:
    """Why a file's patch is left out."""

    def __init__(
        self, repository: Repository, roots: Roots, sections: tuple[PatchSection, ...]
    ) -> None:
        self._repository = repository
        self._roots = roots
        hashes = (one for section in sections for one in section.blobs)
        self._keyed, self._missing = blobs_with_keys(
            repository.git, (one for one in hashes if one.strip("0"))
        )

    def against(self, section: PatchSection) -> str:
        """The reason; empty if it is shown."""
        top = self._repository.top
        if any(credential_pattern((top / path).as_posix()) for path in section.paths):
            return "credential file, never read"
        if section.paths and not section.is_text:
            return "binary"
        if section.holds_key or self._keyed.intersection(section.blobs):
            return "it holds a private key"
        if section.is_submodule:
            inside = all(self._repository.has_submodule(one, self._roots) for one in section.paths)
            return "" if inside else IN_SUBMODULE
        if any(not one.strip("0") or one in self._missing for one in section.blobs):
            return reason_against_file(top, section.paths[-1])
        return ""


def _read_file(
    reference: str, request: GitReference, repository: Repository, limit: int
) -> GitReading:
    path = _from_top(request.file, repository)
    absolute = repository.top / path
    if pattern := credential_pattern(absolute.as_posix()):
        reason = f"it is a credential file ({pattern})"
        raise refusals.credential_file(reference, path, reason)
    (revision,) = request.revisions
    named = f"{_commit(revision.first, repository)}:{path}"
    try:
        blob = repository.git.line("rev-parse", "--verify", "--quiet", named)
    except GitFailed as error:
        raise GitFailed(f"{revision.first} holds no {path}") from error
    if repository.git.line("cat-file", "-t", blob) != "blob":
        raise GitFailed(f"{path} is not a file in that revision")
    data = repository.git.run("cat-file", "blob", blob, most=limit)
    decoded = decode(data)
    if decoded is None:
        raise refusals.binary(reference, path)
    text = decoded[0].replace("\r\n", "\n").replace("\r", "\n")
    if holds_private_key(text):
        raise refusals.credential_file(reference, path, "it holds a private key")
    note = "" if text.strip() else "an empty file"
    return GitReading(text, (absolute,), note=note)


def _from_top(file: str, repository: Repository) -> str:
    """The path of `REV:PATH` seen from the top; like git's own, `./` starts where git runs."""
    names = [name for name in file.split("/") if name not in {"", "."}]
    path = "/".join(names)
    if file.startswith("./"):
        path = repository.prefix + path
    if not repository.is_whole and not path.startswith(repository.prefix):
        raise GitFailed(f"{path} is outside the project folder: write REV:./PATH")
    return path


def resolved(revisions: Revisions, repository: Repository) -> str:
    """Write revisions by the hashes of their commits.

    Raises:
        GitFailed: the commit is unknown; other errors as in `Git.run`.
    """
    first = _commit(revisions.first, repository)
    if not revisions.dots:
        return first
    return f"{first}{revisions.dots}{_commit(revisions.last, repository)}"


def _commit(revision: str, repository: Repository) -> str:
    """The hash of a commit, so that nothing but a hash stands on git's command line."""
    try:
        return repository.git.line("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitFailed as error:
        raise GitFailed(f"no such commit: {revision}") from error
