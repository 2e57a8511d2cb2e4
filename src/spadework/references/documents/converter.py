"""Which files are documents, and their conversion in a confined process and in limited time."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Self

from spadework.references.confined_process import Confined

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

CHILD = "spadework.references.documents.conversion_child"
EXTRA = "documents"
GET_THE_EXTRA = (
    f"`pip install 'spadework[{EXTRA}]'` or `pipx install --force 'spadework[{EXTRA}]'` "
    "brings what converts it"
)


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document. `key` is its name in the config; `is_text` says that it reads raw too."""

    key: str
    name: str
    suffixes: tuple[str, ...]
    is_text: bool = False


KINDS = (
    DocumentKind("pdf", "PDF", (".pdf",)),
    DocumentKind("docx", "DOCX", (".docx",)),
    DocumentKind("pptx", "PPTX", (".pptx",)),
    DocumentKind("epub", "EPUB", (".epub",)),
    DocumentKind("html", "HTML", (".html", ".htm", ".xhtml"), is_text=True),
    DocumentKind("ipynb", "notebook", (".ipynb",), is_text=True),
)


def kind_of(paths: Collection[str], keys: Collection[str]) -> DocumentKind | None:
    """The kind of a document by the first of its paths that has a suffix of one.

    Args:
        paths: its path as shown, and its real one.
        keys: the kinds that count, as the config names them.
    """
    suffixes = [PurePath(path).suffix.lower() for path in paths]
    known = {suffix: kind for kind in KINDS if kind.key in keys for suffix in kind.suffixes}
    return next((known[suffix] for suffix in suffixes if suffix in known), None)


def is_extra_there() -> bool:
    """Whether the extra `documents` is installed."""
    return importlib.util.find_spec("markitdown") is not None


@dataclass(slots=True)
class Converter:
    """Converts documents to Markdown. Use it as a context manager.

    Args:
        process: the process that converts.
        seconds: the time for all documents together.
    """

    process: Confined
    seconds: float
    spent: float = 0.0
    texts: dict[Path, str] = field(default_factory=dict)
    hidden: dict[Path, int] = field(default_factory=dict)
    """How many texts that nobody sees were left out of each document."""

    @classmethod
    def of(cls, seconds: float, most: int, memory: int = 2 << 30) -> Self:
        """Make one: the time for all, the longest text and the memory of one, in bytes."""
        return cls(Confined(CHILD, most, memory), seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.end()

    def text_of(self, path: Path, data: bytes, suffix: str) -> str:
        """Convert a document to Markdown, once for each path.

        Args:
            path: what it is known by.
            data: its bytes; of a kind that is text in UTF-8.
            suffix: its kind's first suffix, with the dot.

        Raises:
            ConfinedFailure: it cannot be converted; the message says why.
            TooSlow: the time is over.
            TooLong: its text is longer than it may be.
        """
        if path not in self.texts:
            self.process.start()  # waiting for memory is not converting
            started = time.monotonic()
            try:
                reply = self.process.ask(suffix, data, self.seconds - self.spent)
                count, _, self.texts[path] = reply.partition("\n")
                self.hidden[path] = int(count)
            finally:
                self.spent += time.monotonic() - started
        return self.texts[path]
