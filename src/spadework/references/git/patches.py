"""A patch, file by file, so that what may not be read can be taken out of it.

The format is read strictly: each line is a known header, or counted by the header of its hunk.
What is neither is refused, because it might be the content of a file whose name was not seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from spadework.references.credential_files import holds_private_key
from spadework.references.git.grammar import unquote
from spadework.references.text_decoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_FILE = b"/dev/null"
SUBMODULE_MODE = b"160000"
SHOWN_HASH = 10  # digits of a blob's hash that are shown

_HASH = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_MODES = rb"[0-7]{6}(?:,[0-7]{6})*"
# Outside of files: the headers of `git log` and `git show` in the format "medium".
_PREAMBLE = re.compile(
    rb"(?:commit " + _HASH + rb"|(?:Merge|Author|Date): .*| {4}.*|\* Unmerged path .*|)\n?"
)
_FIRST = re.compile(rb"diff --(?:git .*|(?:cc|combined) (?P<merged>.*))\n")
_INDEX = re.compile(
    rb"index (?P<old>HASH(?:,HASH)*)\.\.(?P<new>HASH)(?: [0-7]{6})?\n".replace(b"HASH", _HASH)
)
_EXTENDED = re.compile(
    rb"(?:old mode|new mode|deleted file mode|new file mode) " + _MODES + rb"\n"
    rb"|mode " + _MODES + rb"\.\." + _MODES + rb"\n"
    rb"|(?:dis)?similarity index [0-9]{1,3}%\n"
    rb"|(?:rename|copy) (?:from|to) (?P<name>.*)\n"
)
_BINARY = re.compile(rb"Binary files (?:.* )?differ\n")
_LABEL = re.compile(rb"(?:---|\+\+\+) (?P<name>.*?)\t?\n")
_HUNK = re.compile(
    rb"(?P<mark>@@+)(?P<old>(?: -[0-9]+(?:,[0-9]+)?)+) \+[0-9]+(?:,(?P<new>[0-9]+))? (?P=mark)"
    rb"(?: .*)?\n"
)
_OLD_RANGE = re.compile(rb" -[0-9]+(?:,(?P<count>[0-9]+))?")


class UnknownFormat(Exception):
    """Git printed a line that is not part of the format as it is known here."""


@dataclass(frozen=True, slots=True)
class PatchSection:
    """A piece of git's output: one file's patch, or the lines between patches.

    Args:
        text: what is shown.
        paths: the file's names before and after, seen from the repository's top; empty where no
            content is shown.
        blobs: hashes of the contents that are shown in part; all zeros is the work tree's.
        is_submodule: whether it shows a submodule's commit.
        is_text: whether the content is text.
        holds_key: whether a private key is in it, on any side of the change.
    """

    text: str
    paths: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    is_submodule: bool = False
    is_text: bool = True
    holds_key: bool = False


def sections_of(output: bytes, *, has_patch: bool) -> Iterator[PatchSection]:
    """Split git's output into sections, in its order.

    Args:
        output: of `git diff`, `git show` or `git log`, with full hashes.
        has_patch: whether it shows content; without, all of it is one section.

    Raises:
        UnknownFormat: a line is neither a known header nor part of a file's patch.
    """
    if not has_patch:
        yield PatchSection(_text(output))
        return
    lines = _Lines(BytesIO(output).readlines())
    while lines.next:
        if lines.next.startswith(b"diff "):
            yield _patch(lines)
        else:
            yield _between(lines)


@dataclass(slots=True)
class _Lines:
    """The lines of the output, and how many are read."""

    all: list[bytes]
    at: int = 0

    @property
    def next(self) -> bytes:
        """The next line, with its end; empty after the last."""
        return self.all[self.at] if self.at < len(self.all) else b""

    def take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Read the next line, if it is such."""
        match = pattern.fullmatch(self.next)
        if match:
            self.at += 1
        return match

    def expect(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        match = self.take(pattern)
        if match is None:
            raise self.unknown()
        return match

    def since(self, start: int) -> bytes:
        return b"".join(self.all[start : self.at])

    def unknown(self) -> UnknownFormat:
        # The line itself may be content, so only its number is given.
        return UnknownFormat(f"line {self.at + 1} of git's output is not in a known format")


@dataclass(slots=True)
class _Headers:
    """What the lines before the first hunk say."""

    names: list[bytes] = field(default_factory=list)
    blobs: tuple[str, ...] = ()
    is_submodule: bool = False


def _between(lines: _Lines) -> PatchSection:
    start = lines.at
    while lines.next and not lines.next.startswith(b"diff "):
        lines.expect(_PREAMBLE)
    return PatchSection(_text(lines.since(start)))


def _patch(lines: _Lines) -> PatchSection:
    start = lines.at
    first = lines.expect(_FIRST)
    headers = _headers(lines)
    label = lines.next
    if not label.startswith(b"--- "):
        lines.take(_BINARY)
        return PatchSection(_text(_shortened(lines.since(start))))
    old, new = lines.expect(_LABEL)["name"], lines.expect(_LABEL)["name"]
    if not _agree(first, old, new):
        raise lines.unknown()
    columns = 1
    content: list[bytes] = []
    while hunk := lines.take(_HUNK):
        columns = len(hunk["mark"]) - 1
        content += _hunk(lines, hunk)
    if not content:
        raise lines.unknown()
    piece = lines.since(start)
    bare = b"".join(line[columns:] for line in content)
    is_whole = columns == 1 and NO_FILE in {old, new}  # then all of it is shown
    names = [name[2:] for name in map(unquote, (old, new)) if name != NO_FILE]
    names += headers.names
    return PatchSection(
        text=_text(_shortened(piece)),
        paths=tuple(dict.fromkeys(name.decode(errors="surrogateescape") for name in names)),
        blobs=() if is_whole or headers.is_submodule else headers.blobs,
        is_submodule=headers.is_submodule,
        is_text=decode(piece) is not None,
        holds_key=holds_private_key(_text(bare)),
    )


def _headers(lines: _Lines) -> _Headers:
    headers = _Headers()
    while True:
        start = lines.next
        if index := lines.take(_INDEX):
            hashes = (*index["old"].split(b","), index["new"])
            headers.blobs = tuple(map(bytes.decode, hashes))
        elif extended := lines.take(_EXTENDED):
            if extended["name"]:
                headers.names.append(unquote(extended["name"]))
        else:
            return headers
        headers.is_submodule |= SUBMODULE_MODE in re.split(rb"[ ,.\n]", start)


def _agree(first: re.Match[bytes], old: bytes, new: bytes) -> bool:
    """Whether the names at `---` and `+++` are those of the section's first line."""
    if (merged := first["merged"]) is not None:
        merged = unquote(merged)
        allowed_old, allowed_new = b"a/" + merged, b"b/" + merged
        old, new = unquote(old), unquote(new)
        return {old, new} != {NO_FILE} and (
            old in {allowed_old, NO_FILE} and new in {allowed_new, NO_FILE}
        )
    # Unquoted names may hold blanks, so the line is compared and not split.
    if old == NO_FILE:
        old = new.replace(b"b/", b"a/", 1)
    elif new == NO_FILE:
        new = old.replace(b"a/", b"b/", 1)
    prefixes = (unquote(old)[:2], unquote(new)[:2])
    return prefixes == (b"a/", b"b/") and first[0] == b"diff --git " + old + b" " + new + b"\n"


def _hunk(lines: _Lines, hunk: re.Match[bytes]) -> list[bytes]:
    """Read a hunk's lines, as many as its header says, and return them."""
    start = lines.at
    old = [int(match["count"] or 1) for match in _OLD_RANGE.finditer(hunk["old"])]
    new = int(hunk["new"] or 1)
    columns = len(hunk["mark"]) - 1
    if columns != len(old):
        raise lines.unknown()
    while new or any(old) or lines.next.startswith(b"\\ "):
        line = lines.next
        marks = line[:columns]
        if not line.startswith(b"\\ "):
            if len(marks) < columns or marks.strip(b" +-") or (b"-" in marks and b"+" in marks):
                raise lines.unknown()
            counted = b"-" if b"-" in marks else b" "
            for at in range(columns):
                old[at] -= marks[at : at + 1] == counted
            new -= counted == b" "
            if new < 0 or min(old) < 0:
                raise lines.unknown()
        lines.at += 1
    return lines.all[start : lines.at]


def _shortened(piece: bytes) -> bytes:
    """Shorten the hashes of the line `index`, which are asked for in full."""
    head, mark, rest = piece.partition(b"\n--- ")
    lines = [
        re.sub(_HASH, lambda match: match[0][:SHOWN_HASH], line)
        if line.startswith(b"index ")
        else line
        for line in head.split(b"\n")
    ]
    return b"\n".join(lines) + mark + rest


def _text(piece: bytes) -> str:
    decoded = decode(piece)
    text = decoded[0] if decoded else piece.decode(errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
