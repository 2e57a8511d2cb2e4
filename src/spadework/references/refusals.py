"""The refusals of references: which rule, why, and what to do next."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from spadework.errors import ReferenceRefused
from spadework.references.material import LeftOut
from spadework.references.syntax import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.references.material import Source
    from spadework.references.roots import Roots

NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
MOST_NAMED = 3
# What a folder or a glob may hold without being refused for it: rule -> why it is left out.
LEFT_OUT = {
    "binary": "binary",
    "broken-document": "cannot be converted",
    "changed": "changed while it was being read",
    "credential-file": "credential file, never read",
    "git-folder": "symlink into .git",
    "needs-extra": "needs spadework[documents]",
    "not-a-file": "symlink to a device, FIFO or socket",
    "not-found": "symlink to nothing",
    "outside-roots": "symlink out of the roots",
    "unreadable": "cannot be read",
}
RANGE_FORMS = "write path:START-END, path:LINE or path:START-, counted from 1"


def leave_out(path: str, refusal: ReferenceRefused) -> LeftOut:
    """Turn the refusal of a file that was not named itself into a mention.

    Raises:
        ReferenceRefused: leaving it out would be a silent half answer, as with a file too large.
    """
    if refusal.rule not in LEFT_OUT:
        raise refusal
    return LeftOut(path, LEFT_OUT[refusal.rule])


def bad_reference(reference: str, reason: str) -> ReferenceRefused:
    """It cannot be read as a reference at all."""
    hint = "a reference is a path, a folder, a glob, path:START-END or git:diff"
    return ReferenceRefused(reference, reference, "bad-reference", reason, hint=hint)


def outside_roots(reference: str, reason: str, roots: Roots) -> ReferenceRefused:
    """It leads out of every root."""
    more = "add one with the config key `roots`, or with `spadework ask --root DIR`"
    if roots.names:
        more = "[http.roots] in the server's config may map more"
    hint = f"the roots are {roots.called()}; {more}"
    return ReferenceRefused(reference, reference, "outside-roots", reason, hint=hint)


def git_folder(reference: str, path: str) -> ReferenceRefused:
    """It is git's own folder, or lies in it."""
    hint = "name a file in it by itself"
    return ReferenceRefused(reference, path, "git-folder", ".git is never searched", hint=hint)


def credential_file(reference: str, path: str, reason: str) -> ReferenceRefused:
    """It holds a credential, by its name or by its content."""
    hint = "credential files are never read; put what is needed from it in a file of its own"
    return ReferenceRefused(reference, path, "credential-file", reason, hint=hint)


def unreadable(reference: str, path: str, error: OSError) -> ReferenceRefused:
    """The system does not give it."""
    if error.errno in NOT_THERE:
        return not_found(reference, path, "it does not exist")
    if error.errno == errno.ELOOP:
        return not_found(reference, path, "it is a symlink that leads nowhere but to itself")
    reason = f"it cannot be read: {os.strerror(error.errno) if error.errno else error}"
    return ReferenceRefused(
        reference, path, "unreadable", reason, hint="check its permissions, or leave it out"
    )


def not_found(reference: str, path: str, reason: str, hint: str = "") -> ReferenceRefused:
    """Nothing is there, or nothing matches."""
    return ReferenceRefused(reference, path, "not-found", reason, hint=hint)


def bad_range(reference: str, path: str, reason: str) -> ReferenceRefused:
    """The lines that it asks for cannot be."""
    return ReferenceRefused(reference, path, "bad-range", reason, hint=RANGE_FORMS)


def not_a_file(reference: str, path: str, kind: str) -> ReferenceRefused:
    """It is a device, a FIFO or a socket."""
    reason = f"it is a {kind}, not a file"
    hint = "copy what it gives into a file first"
    return ReferenceRefused(reference, path, "not-a-file", reason, hint=hint)


def changed(reference: str, path: str) -> ReferenceRefused:
    """What was opened is not what was checked."""
    return ReferenceRefused(
        reference, path, "changed", "it changed while it was being opened", hint="try again"
    )


def binary(reference: str, path: str) -> ReferenceRefused:
    """It is not text."""
    return ReferenceRefused(
        reference, path, "binary", "it is not text", hint="convert it to text first"
    )


def too_large(reference: str, path: str, size: int, limit: int) -> ReferenceRefused:
    """It is over `references.max_file_bytes`."""
    reason = f"{size:,} bytes are over the limit of {limit:,} for one file"
    hint = (
        "name a range of its lines (path:START-END), narrow the reference, or raise "
        "references.max_file_bytes in the config"
    )
    return ReferenceRefused(reference, path, "too-large", reason, hint=hint)


def range_too_large(reference: str, path: str, limit: float) -> ReferenceRefused:
    """The lines of a large file are over `references.max_file_bytes` by themselves."""
    reason = f"these lines are over the limit of {limit:,} bytes for one file"
    hint = "name fewer lines, or raise references.max_file_bytes in the config"
    return ReferenceRefused(reference, path, "too-large", reason, hint=hint)


def needs_extra(reference: str, path: str, kind: str, hint: str) -> ReferenceRefused:
    """It is a document, and nothing is installed that converts it."""
    reason = f"it is {kind}, and the extra that converts it is not installed"
    return ReferenceRefused(reference, path, "needs-extra", reason, hint=hint)


def unconvertible(reference: str, path: str, kind: str, said: str) -> ReferenceRefused:
    """The converter cannot read it."""
    reason = f"it cannot be converted from {kind}: {printable(said)}"
    hint = "check that it opens elsewhere, is not encrypted, and is what its suffix says"
    return ReferenceRefused(reference, path, "broken-document", reason, hint=hint)


def too_slow(reference: str, path: str, seconds: float) -> ReferenceRefused:
    """The time for converting documents was over while this one was converted."""
    reason = f"converting documents took more than {seconds:g} s"
    hint = "name fewer documents, or raise references.convert_seconds in the config"
    return ReferenceRefused(reference, path, "too-slow", reason, hint=hint)


def out_of_time(reference: str, path: str = "") -> ReferenceRefused:
    """The deadline of the call passed before it was read."""
    reason = "the time of this call was over before it was read"
    hint = (
        "name fewer files, a folder further down or lines nearer to a file's beginning, or "
        "raise the tool's deadline in the config"
    )
    return ReferenceRefused(reference, path or reference, "too-slow", reason, hint=hint)


def document_too_large(reference: str, path: str, size: int, limit: int) -> ReferenceRefused:
    """It is over `references.max_document_bytes`."""
    reason = f"{size:,} bytes are over the limit of {limit:,} for one document"
    hint = "raise references.max_document_bytes in the config"
    return ReferenceRefused(reference, path, "too-large", reason, hint=hint)


def text_too_long(reference: str, path: str, limit: float) -> ReferenceRefused:
    """The text that a document was converted to is over `references.max_file_bytes`."""
    reason = f"its text is over the limit of {limit:,} bytes for one file"
    hint = (
        "name a range of its text's lines (path:START-END), or raise "
        "references.max_file_bytes in the config"
    )
    return ReferenceRefused(reference, path, "too-large", reason, hint=hint)


def too_much(reference: str, reason: str, hint: str) -> ReferenceRefused:
    """All that is asked for together is over a limit."""
    return ReferenceRefused(reference, reference, "too-much", reason, hint=hint)


def bad_git(reference: str, reason: str, forms: str) -> ReferenceRefused:
    """The `git:` reference is not allowed."""
    hint = f"these are: {forms}; a file of that name is ./{reference}"
    return ReferenceRefused(reference, reference, "bad-reference", reason, hint=hint)


def git_failed(reference: str, reason: str) -> ReferenceRefused:
    """Git does not show it."""
    hint = "`git:` reads the repository of the project folder; see `git status` there"
    return ReferenceRefused(reference, reference, "git", reason, hint=hint)


def git_too_much(reference: str, reason: str) -> ReferenceRefused:
    """Git shows too much, or takes too long."""
    hint = "narrow it: paths behind --, --stat, fewer commits; or raise references.max_file_bytes"
    return ReferenceRefused(reference, reference, "too-large", reason, hint=hint)


def nothing_matched(reference: str) -> ReferenceRefused:
    """A folder or a glob holds no file."""
    hint = "files that .gitignore names are left out: name one by itself to have it read"
    if "{" in reference:
        hint = "braces stand for themselves: give one reference for each alternative"
    return not_found(reference, reference, "no file matches", hint)


def all_empty(sources: Sequence[Source]) -> ReferenceRefused:
    """Nothing that the call names has any content, so an answer could only be invented."""
    first = sources[0]
    reason = first.note or "it is empty"
    if len(sources) > 1:
        named = _some([f"{one.path} ({one.note or 'empty'})" for one in sources])
        reason = f"all references of the call are empty: {named}"
    hint = "name something that has content, or leave `files` out to ask without them"
    return ReferenceRefused(first.path, first.path, "empty", reason, hint=hint)


def nothing_readable(reference: str, path: str, left_out: Sequence[LeftOut]) -> ReferenceRefused:
    """A folder or a glob holds files, but none that is read."""
    reason = f"nothing in it is read: {_some([f'{one.path} ({one.reason})' for one in left_out])}"
    hint = "name a text file, or a folder that holds some"
    return ReferenceRefused(reference, path, "no-text", reason, hint=hint)


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
