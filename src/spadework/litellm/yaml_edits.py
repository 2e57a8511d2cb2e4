"""Inserts lines into a config file; existing lines stay unchanged, byte for byte.

What comes out is read again and compared: if anything but the wanted keys has changed its meaning,
nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from spadework.errors import ConfigError
from spadework.litellm.verify import Growth, has_grown_as_wanted
from spadework.litellm.yaml_document import (
    Document,
    Node,
    is_flow,
    is_mapping,
    is_null,
    is_sequence,
    own,
    read,
)
from spadework.litellm.yaml_text import Comments, in_one_line, item_lines, mapping_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WIDEST_DASH = 8


@dataclass(frozen=True, slots=True)
class _Change:
    """Text in the place of another; `depth` sorts what is put at one place, deepest first."""

    start: int
    stop: int
    text: str
    kind: Literal["cut", "lines", "in brackets"]
    depth: int = 0


@dataclass(slots=True)
class Edits:
    """The additions to one document, gathered first and made together."""

    document: Document
    _changes: list[_Change] = field(default_factory=list)
    _growth: Growth = field(default_factory=dict)

    def put(
        self,
        above: Node,
        key: str,
        value: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        comments: Comments | None = None,
    ) -> None:
        """Add keys or items to the value of a key; the key is created if it is missing.

        Args:
            above: the mapping that has the key, or will get it.
            key: the key.
            value: the keys to add to a mapping, or the items to add to a list.
            comments: for the lines that are added.

        Raises:
            ConfigError: something else stands there.
        """
        pair = own(above, key)
        if pair is None:
            self._add_keys(above, {key: value}, _below(key, comments))
            return
        there = pair[1]
        wants_list = not isinstance(value, Mapping)
        if not is_null(there) and not (is_sequence if wants_list else is_mapping)(there):
            kind = "list" if wants_list else "mapping"
            raise ConfigError(
                f"{self.document.name}: {key} is not a {kind}, so nothing was added",
                hint=f"write `{key}: {'[]' if wants_list else '{}'}` there, then merge again",
            )
        is_empty = is_null(there) or not there.value
        if is_empty and not is_flow(above):
            self._fill(above, there, value, comments)
        elif not isinstance(value, Mapping):
            self._add_items(there, value, comments)
        else:
            self._add_keys(there, value, comments)

    def start(self, text: str, data: Mapping[str, Any]) -> None:
        """Give a file that says nothing its first keys; what it has of comments stays above.

        Args:
            text: the keys as lines.
            data: the same as data.
        """
        newline, place = self.document.newline, len(self.document.text)
        lines = newline.join(text.splitlines()) + newline
        self._changes.append(_Change(place, place, lines, "lines"))
        self._grow(self.document.root, list(data.items()))

    def done(self) -> str:
        """Return the new text.

        Raises:
            ConfigError: the result would not mean what it should.
        """
        text = self._changed_text()
        try:
            after = read(text, self.document.name).root
        except ConfigError:
            after = None
        if after is None or not has_grown_as_wanted(self.document.root, after, self._growth):
            raise self._refusal("add the entries in your editor")
        return text

    def _changed_text(self) -> str:
        before, newline = self.document.text, self.document.newline
        text, place = "", 0
        for change in sorted(self._changes, key=lambda one: (one.start, -one.depth)):
            text += before[place : change.start]
            if change.kind == "lines" and text.strip("\ufeff") and not _is_line_start(text):
                text += newline
            if change.kind == "in brackets" and not text.endswith(("[", "{")):
                text += " " if text.endswith(",") else ", "
            text += change.text
            place = change.stop
        return text + before[place:]

    def _add_keys(self, node: Node, table: Mapping[str, Any], comments: Comments | None) -> None:
        self._grow(node, list(table.items()))
        if is_flow(node):
            self._insert_in_brackets(node, in_one_line(dict(table), quoted=self._is_json)[1:-1])
            return
        column = node.start_mark.column
        lines: Iterator[str] = mapping_lines(table, comments)
        is_root = node is self.document.root
        if is_root and not self._follows_block_text(node.end_mark.index):
            lines = chain([""], lines)  # a blank line precedes each part of the file
        self._insert_lines(node.end_mark.index, column, lines)

    def _add_items(
        self, node: Node, entries: Sequence[Mapping[str, Any]], comments: Comments | None
    ) -> None:
        self._grow(node, list(entries))
        if is_flow(node):
            text = in_one_line(list(entries), quoted=self._is_json)[1:-1]
            self._insert_in_brackets(node, text)
            return
        column = node.start_mark.column
        width = node.value[0].start_mark.column - column
        dash = "-".ljust(width if 1 < width <= _WIDEST_DASH else 2)
        lines = item_lines(entries, comments, dash)
        # A list may stand at the column of its key: its items go before further keys.
        self._insert_lines(node.end_mark.index, column, lines, is_list=True)

    def _fill(
        self,
        above: Node,
        nothing: Node,
        value: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        comments: Comments | None,
    ) -> None:
        """Put lines in the place of nothing: of no text at all, `null`, `[]` or `{}`."""
        start, stop = nothing.start_mark.index, nothing.end_mark.index
        if start < stop:
            self._changes.append(_Change(self.document.end_before(start), stop, "", "cut"))
        column = above.start_mark.column + 2
        if not isinstance(value, Mapping):
            self._grow(nothing, list(value))
            self._insert_lines(stop, column, item_lines(value, comments))
        else:
            self._grow(nothing, list(value.items()))
            self._insert_lines(stop, column, mapping_lines(value, comments))

    @property
    def _is_json(self) -> bool:
        return self.document.root is not None and is_flow(self.document.root)

    def _grow(self, node: Node | None, more: list[Any]) -> None:
        if node is not None and node.anchor:
            raise self._refusal(f"what &{node.anchor} names is used in several places")
        self._growth.setdefault(id(node), []).extend(more)

    def _insert_in_brackets(self, node: Node, text: str) -> None:
        place = self.document.end_before(node.end_mark.index - 1)
        self._changes.append(_Change(place, place, text, "in brackets"))

    def _insert_lines(
        self, before: int, column: int, lines: Iterable[str], *, is_list: bool = False
    ) -> None:
        """Put lines behind the last token before a place, and behind comments that go with it."""
        text, newline = self.document.text, self.document.newline
        place = self.document.end_before(before)
        if not self._follows_block_text(before):
            place = _next_line(text, place)
            while _is_comment_from(text, place, max(column, 1)):
                place = _next_line(text, place)
        body = "".join(f"{' ' * column}{line}".rstrip() + newline for line in lines)
        self._changes.append(_Change(place, place, body, "lines", 2 * column + is_list))

    def _follows_block_text(self, before: int) -> bool:
        """Whether the last token before a place is a text in lines, to which blank ones belong."""
        return _is_line_start(self.document.text[: self.document.end_before(before)])

    def _refusal(self, cure: str) -> ConfigError:
        return ConfigError(
            f"{self.document.name}: the additions would alter more than their own lines, "
            "so none was made",
            hint=f"{cure}; `spadework litellm config` prints them",
        )


def _below(key: str, comments: Comments | None) -> Comments:
    return {(key, *path): text for path, text in (comments or {}).items()}


def _is_line_start(before: str) -> bool:
    return not before or before.endswith(("\n", "\r"))


def _is_comment_from(text: str, place: int, column: int) -> bool:
    """Tell whether the line at a place is a comment that is indented at least so far."""
    line = text[place : _next_line(text, place)]
    stripped = line.lstrip(" ")
    return stripped.startswith("#") and len(line) - len(stripped) >= column


def _next_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1
