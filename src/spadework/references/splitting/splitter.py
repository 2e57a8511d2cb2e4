"""From a source to parts of a size that is counted by the model's own tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.references.git.grammar import is_git
from spadework.references.splitting.boundaries import Border, Kind, Outline, best_cut
from spadework.references.splitting.outlines import (
    code_outline,
    grammar_of,
    is_prose,
    line_outline,
    patch_outline,
    prose_outline,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spadework.references.material import Source

SAMPLE = 4  # characters for each token of a part's size, counted first to learn the ratio
MARGIN = 0.95  # of the size that a part aims at, since the ratio differs from place to place
PATIENCE = 3  # tries at a part before its length is halved


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a source, cut out as it is: one after another the parts are the source's text.

    Lines count as in the source. `first_column` is 1 where the part begins with its first line; a
    line that is too long is cut inside, and `last_column` is then the last character of
    `last_line` that belongs to the part. It is None where the part ends with a line. `title` is the
    heading or the definition that it begins in, `kind` says after which fashion it was cut.
    """

    text: str
    first_line: int
    last_line: int
    path: str
    title: str = ""
    kind: Kind = "lines"
    first_column: int = 1
    last_column: int | None = None

    @property
    def place(self) -> str:
        """Where it stands, as `path:START-END`."""
        return f"{self.path}:{self.first_line}-{self.last_line}"


def split(source: Source, size: int, count: Callable[[str], int]) -> tuple[Part, ...]:
    """Split a source into parts of at most `size` tokens; one part if it fits as it is.

    `count` may be slow: it is called once at first, once for each part, and again only for a part
    that came out too large. It is never given much more than a part.

    Args:
        source: what was read; its line numbers are kept.
        size: the most tokens of a part.
        count: counts the tokens of a text.

    Raises:
        ValueError: a single character has more tokens than a part may have.
    """
    text = source.text
    if not text:
        return ()
    if size < 1:
        raise ValueError(f"no part can have {size} tokens")
    sample = text[: SAMPLE * size]
    tokens = count(sample)
    if len(sample) == len(text) and tokens <= size:
        ends = [len(text)]
        outline = Outline("prose" if is_prose(source.path) else "lines")
    else:
        outline = _outline(source)
        ends = list(_ends(text, outline, size, count, tokens / len(sample)))
    return tuple(_parts(source, outline, ends))


def _outline(source: Source) -> Outline:
    if is_git(source.path):
        return patch_outline(source.text)
    if source.note.startswith("converted") or is_prose(source.path):
        return prose_outline(source.text)
    grammar = grammar_of(source.path)
    outline = code_outline(source.text, grammar) if grammar else None
    return outline or line_outline(source.text)


def _ends(
    text: str, outline: Outline, size: int, count: Callable[[str], int], ratio: float
) -> Iterator[int]:
    """Cut part after part. `ratio` is tokens for each character, learnt anew from each part."""
    start = 0
    while start < len(text):
        length = _length(size, ratio)
        end = best_cut(text, start, start + length, outline)
        tokens = count(text[start:end])
        tries = 0
        while tokens > size:
            if end - start == 1:
                raise ValueError(f"one character has {tokens} tokens, a part may have {size}")
            tries += 1
            ratio = tokens / (end - start)
            length = min(_length(size, ratio), end - start - 1)
            if tries > PATIENCE:
                length = min(length, (end - start) // 2)
            end = best_cut(text, start, start + max(1, length), outline)
            tokens = count(text[start:end])
        # A short part tells little (a tokenizer may add its own marks), a full one as much as all.
        ratio = (ratio * length + tokens) / (length + end - start)
        yield end
        start = end


def _length(size: int, ratio: float) -> int:
    return max(1, int(size * MARGIN / ratio)) if ratio > 0 else 1 << 62


def _parts(source: Source, outline: Outline, ends: list[int]) -> Iterator[Part]:
    text = source.text
    titles = _Titles(outline)
    line, column, start = source.first_line, 1, 0
    for end in ends:
        piece = text[start:end]
        title = titles.at(start)
        breaks = piece.count("\n")
        whole = piece.endswith("\n")
        within = len(piece) - (piece.rfind("\n") + 1) + (column - 1 if not breaks else 0)
        yield Part(
            text=piece,
            path=source.path,
            first_line=line,
            last_line=line + breaks - whole,
            first_column=column,
            last_column=None if whole or end == len(text) else within,
            title=title,
            kind=outline.kind,
        )
        line, column, start = line + breaks, within + 1, end


@dataclass(slots=True)
class _Titles:
    """Names what a place lies in; asked for one place after another."""

    outline: Outline
    next: int = 0
    open: list[Border] = field(default_factory=list)

    def at(self, place: int) -> str:
        borders = self.outline.borders
        while self.next < len(borders) and borders[self.next].at <= place:
            if borders[self.next].name:
                self.open.append(borders[self.next])
            self.next += 1
        self.open = [border for border in self.open if border.until > place]
        return self.outline.joint.join(border.name for border in self.open)
