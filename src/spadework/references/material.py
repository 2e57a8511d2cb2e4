"""What came of the references: the texts that were read, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a range of its lines, as text.

    `path` is relative to the project folder where the file is inside it, else absolute. `text` has
    its line ends as LF. Lines count from 1; an empty file has the lines 1 to 0. `total_lines` is
    None for a range of a large file, which is not read behind the range. `bytes` is what
    `text` stands for: the file's size, for a range or a document its size in UTF-8. `private` says
    that it goes to local models only, `confidential` that it is in a confidential folder. `note` is
    what a reader must know of it, in a few words: "converted from PDF".
    """

    path: str
    text: str
    first_line: int
    last_line: int
    total_lines: int | None
    bytes: int
    encoding: str
    private: bool
    note: str = ""
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that a folder or a glob holds and that was not read, with the reason in a few words.

    What .gitignore names is not listed.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Material:
    """All that the references of one call stand for, in their order."""

    sources: tuple[Source, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def bytes(self) -> int:
        """The bytes that were read by reference and so never entered the caller's context."""
        return sum(source.bytes for source in self.sources)

    @property
    def is_empty(self) -> bool:
        """Whether references were read and there is nothing in them but blanks."""
        return bool(self.sources) and not any(source.text.strip() for source in self.sources)
