"""A patch, file by file, so that what may not be read can be taken out of it.

Every line of a file's content begins with a blank, `+`, `-` or a backslash there, and a commit's
message is indented, so a line that begins with `diff --git` or `commit` is always git's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.inputs.credentials import holds_private_key
from journeyman.inputs.encodings import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

BORDER = re.compile(rb"^(?=diff --git |commit [0-9a-f]{40})", re.MULTILINE)
HUNK = re.compile(rb"^@@ ", re.MULTILINE)
NAME = re.compile(rb"^(?:---|\+\+\+) (?P<name>[^\t\n]*)", re.MULTILINE)
NO_FILE = b"/dev/null"


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of git's output: one file's patch, or what stands between such.

    `paths` are the file's names before and after, seen from the repository's top; empty where no
    content is shown. `odd` says that content is shown and its name cannot be told.
    """

    text: str
    paths: tuple[str, ...] = ()
    odd: bool = False
    is_text: bool = True

    @property
    def holds_key(self) -> bool:
        """Whether a private key stands in it, on any side of the change."""
        return holds_private_key("\n".join(line[1:] for line in self.text.split("\n")))


def sections_of(output: bytes, *, has_patch: bool) -> Iterator[Section]:
    """Split git's output into sections; one after another they are all of it."""
    if not has_patch:
        yield Section(_text(output))
        return
    for piece in BORDER.split(output):
        if piece:
            yield _section(piece)


def _section(piece: bytes) -> Section:
    hunk = HUNK.search(piece) if piece.startswith(b"diff --git ") else None
    if hunk is None:
        return Section(_text(piece))
    names = [match["name"] for match in NAME.finditer(piece, 0, hunk.start())]
    plain = [name[2:] for name in names if name.startswith((b"a/", b"b/"))]
    odd = not plain or len(plain) != len([name for name in names if name != NO_FILE])
    paths = tuple(dict.fromkeys(name.decode(errors="surrogateescape") for name in plain))
    return Section(_text(piece), paths, odd, decode(piece) is not None)


def _text(piece: bytes) -> str:
    decoded = decode(piece)
    text = decoded[0] if decoded else piece.decode(errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
