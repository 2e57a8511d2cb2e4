"""Puts lines into a config file; all that stands there stays as it is, byte for byte.

What comes out is read again and compared: if anything but the wanted keys has changed its meaning,
nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from journeyman.errors import ConfigError
from journeyman.litellm.document import (
    Document,
    Node,
    is_flow,
    is_mapping,
    is_null,
    is_sequence,
    own,
    read,
)
from journeyman.litellm.sameness import Growth, has_grown_as_wanted
from journeyman.litellm.text import Comments, in_one_line, item_lines, mapping_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WIDEST_DASH = 8


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    stop: int
    text: str


@dataclass(slots=True)
class Edits:
    """The additions to one document, gathered first and made together.

    What goes in at one place comes out in the order in which it was asked for: ask for what
    belongs to an item before asking for further items.
    """

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
        """Add keys or items to what stands under a key; the key is made if it is missing.

        Args:
            above: the mapping that has the key, or shall have it.
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
            raise ConfigError(f"{self.document.name}: {key} is no {kind}, so nothing was added")
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
        before, newline = self.document.text, self.document.newline
        lines = newline.join(text.splitlines()) + newline
        gap = "" if before in {"", "\ufeff"} or before.endswith(("\n", "\r")) else newline
        self._change(len(before), len(before), gap + lines)
        self._grow(self.document.root, list(data.items()))

    def done(self) -> str:
        """Return the new text.

        Raises:
            ConfigError: it would not mean what it shall.
        """
        text = self.document.text
        in_place = sorted(enumerate(self._changes), key=lambda one: (one[1].start, one[0]))
        for _, change in reversed(in_place):
            text = text[: change.start] + change.text + text[change.stop :]
        try:
            after = read(text, self.document.name).root
        except ConfigError:
            after = None
        if after is None or not has_grown_as_wanted(self.document.root, after, self._growth):
            raise self._refusal("add the entries in your editor")
        return text

    def _add_keys(self, node: Node, table: Mapping[str, Any], comments: Comments | None) -> None:
        self._grow(node, list(table.items()))
        if is_flow(node):
            self._insert_in_brackets(node, in_one_line(dict(table), quoted=self._is_json)[1:-1])
            return
        column = node.start_mark.column
        lines: Iterator[str] = mapping_lines(table, comments)
        if node is self.document.root:  # a blank line stands before each part of the file
            lines = chain([""], lines)
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
        self._insert_lines(node.end_mark.index, column, item_lines(entries, comments, dash))

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
            self._change(self.document.end_before(start), stop, "")
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

    def _change(self, start: int, stop: int, text: str) -> None:
        self._changes.append(_Change(start, stop, text))

    def _insert_in_brackets(self, node: Node, text: str) -> None:
        place = self.document.end_before(node.end_mark.index - 1)
        last = self.document.text[place - 1]
        before = "" if last in "[{" else " " if last == "," else ", "
        self._change(place, place, before + text)

    def _insert_lines(self, before: int, column: int, lines: Iterable[str]) -> None:
        """Put lines behind the last token before a place, and behind comments that go with it."""
        text, newline = self.document.text, self.document.newline
        place = self.document.end_before(before)
        if not _is_line_start(text, place):
            place = _next_line(text, place)
            while _is_comment_from(text, place, max(column, 1)):
                place = _next_line(text, place)
        is_first = not any(change.start == place for change in self._changes)
        gap = newline if is_first and not _is_line_start(text, place) else ""
        body = "".join(f"{' ' * column}{line}".rstrip() + newline for line in lines)
        self._change(place, place, gap + body)

    def _refusal(self, cure: str) -> ConfigError:
        return ConfigError(
            f"{self.document.name}: the additions would alter more than their own lines, "
            "so none was made",
            hint=f"{cure}; `journeyman litellm config` prints them",
        )


def _below(key: str, comments: Comments | None) -> Comments:
    return {(key, *path): text for path, text in (comments or {}).items()}


def _is_line_start(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] in "\r\n"


def _is_comment_from(text: str, place: int, column: int) -> bool:
    """Tell whether the line at a place is a comment that is indented at least so far."""
    line = text[place : _next_line(text, place)]
    stripped = line.lstrip(" ")
    return stripped.startswith("#") and len(line) - len(stripped) >= column


def _next_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1
