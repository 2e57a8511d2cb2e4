"""Which files are documents, known by their suffix."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

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
