"""The files that a range of commits changes, each as a reference to its own diff."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.references import refusals
from spadework.references.credential_files import credential_pattern
from spadework.references.git.git_reader import COMMON, as_refusals, resolved
from spadework.references.git.grammar import (
    FLAGS,
    PREFIX,
    RANGE,
    REVISION,
    Revisions,
    check_path,
    parse,
)
from spadework.references.git.repository import find_repository
from spadework.references.material import LeftOut
from spadework.references.syntax import printable, unprintable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spadework.references.roots import Roots

_MOST_BYTES = 64 << 20  # of git's list of names
_GLOB = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A changed file: its name, a reference that is read as its diff, and its absolute paths."""

    name: str
    reference: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """The changed files by path, and those that are never read."""

    files: tuple[ChangedFile, ...]
    left_out: tuple[LeftOut, ...]


def is_range(reference: str) -> bool:
    """Whether it is `git:REV..REV`, or `git:REV` for one commit: each file it changes."""
    word = reference.removeprefix(PREFIX)
    is_word = RANGE.fullmatch(word) or REVISION.fullmatch(word)
    return word != reference and word not in FLAGS and is_word is not None


def changed_files(reference: str, roots: Roots) -> ChangedFiles:
    """List the text files below the project folder that a range changes.

    The references name the commits by their hashes, so they mean the same later on.

    Args:
        reference: as `is_range` knows it.
        roots: the project folder, and what may be read.

    Raises:
        ReferenceRefused: there is no such repository or commit, or the range changes nothing.
    """
    try:
        (revisions,) = parse(f"{PREFIX}diff {reference.removeprefix(PREFIX)}").revisions
        if not revisions.dots:
            revisions = Revisions(f"{revisions.first}^", "..", revisions.first)
    except ValueError as error:
        raise refusals.bad_git(
            reference, str(error), "git:REV..REV, git:REV...REV, git:REV"
        ) from error
    with as_refusals(reference, "it changes too many files"):
        repository = find_repository(roots)
        between = resolved(revisions, repository)
        listed = repository.git.run(
            "diff", *COMMON, "--numstat", "-z", "--relative", between, "--", ".", most=_MOST_BYTES
        )
    found: list[ChangedFile] = []
    left_out: list[LeftOut] = []
    for names, is_text in _entries(listed):
        shown = printable(names[-1])
        paths = tuple(roots.project / name for name in names)
        if reason := _reason_against(names, paths, is_text=is_text):
            left_out.append(LeftOut(shown, reason))
        else:
            found.append(ChangedFile(shown, _reference(between, names), paths))
    if not found:
        more = f" ({left_out[0].path}: {left_out[0].reason})" if left_out else ""
        reason = f"it changes no text file of the project{more}"
        raise refusals.not_found(reference, reference, reason, "see `git diff --stat` there")
    return ChangedFiles(tuple(found), tuple(left_out))


def _entries(listed: bytes) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Read `--numstat -z`: for each file its name, or the one before and after, if it is text."""
    fields = iter(listed.decode(errors="surrogateescape").split("\0")[:-1])
    for field in fields:
        added, _, name = field.split("\t", 2)
        names = (name,) if name else (next(fields), next(fields))
        yield names, added != "-"


def _reason_against(names: tuple[str, ...], paths: tuple[Path, ...], *, is_text: bool) -> str:
    if any(credential_pattern(path.as_posix()) for path in paths):
        return "credential file, never read"
    if not is_text:
        return "binary"
    for name in names:
        if character := unprintable(name):
            return f"its name holds the character {character}"
        try:
            check_path(name)
        except ValueError as error:
            return str(error)
    return ""


def _reference(between: str, names: tuple[str, ...]) -> str:
    """Write a diff's reference; git takes a path for a pattern, so its signs are escaped."""
    paths = " ".join(shlex.quote(_GLOB.sub(r"\\\g<0>", name)) for name in names)
    return f"{PREFIX}diff {between} -- {paths}"
