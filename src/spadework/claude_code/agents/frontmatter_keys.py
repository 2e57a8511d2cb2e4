"""The keys of a frontmatter: their values, and the position of each in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from spadework.claude_code.agents.yaml_events import UnreadableYaml, events_of, plain_is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.agents.yaml_events import Event

Kind = Literal["text", "list", "empty", "other"]

KEY_AND_VALUE = re.compile(r"([a-zA-Z_-]+):([\t ]+)(\S[^\r\n\u2028\u2029]*)\Z")
"""A line of one key and its value, as the client finds it on its second try."""


@dataclass(frozen=True, slots=True)
class FrontmatterKey:
    """One key of the frontmatter.

    `line` counts from 1 in the file. `text` is the value of a text, `items` the texts of a list;
    `span` is the value's position in the file's text, None if it cannot be replaced in
    place. `events` are the value as YAML events, by which two values are compared.
    """

    key: str
    line: int
    kind: Kind
    text: str
    items: tuple[str, ...]
    span: tuple[int, int] | None
    quote: str
    start: int
    end: int
    events: tuple[tuple[object, ...], ...]


def read_keys(
    text: str, original: str, start: int, first_line: int
) -> tuple[tuple[FrontmatterKey, ...], bool]:
    """Read the keys of a block; `text` has the same lines as `original`, whose places are told.

    Raises:
        UnreadableYaml: it is not YAML, or not a mapping.
    """
    events = events_of(text)
    if not events:
        return (), False
    if events[0].kind != "mapping":
        raise UnreadableYaml("it is not a mapping")
    anchors: dict[str, Sequence[Event]] = {}
    entries, position = [], 1
    while events[position].kind != "end":
        key, position = _take(events, position, anchors)
        value, position = _take(events, position, anchors)
        where = _Places(text, original, start, first_line)
        entries.append(_entry(key, value, anchors, where))
    return tuple(entries), events[0].style == "{"


def _take(
    events: Sequence[Event], position: int, anchors: dict[str, Sequence[Event]]
) -> tuple[Sequence[Event], int]:
    """Take one whole value; remember the anchors that it defines."""
    depth, end = 0, position
    while True:
        depth += {"mapping": 1, "list": 1, "end": -1}.get(events[end].kind, 0)
        end += 1
        if depth == 0:
            break
    value = events[position:end]
    for event in value:
        if event.kind == "alias" and event.anchor not in anchors:
            raise UnreadableYaml(f"the alias *{event.anchor} has no anchor", event.line)
        if event.kind != "alias" and event.anchor:
            anchors[event.anchor] = value if event is value[0] else [event]
    return value, end


@dataclass(frozen=True, slots=True)
class _Places:
    """Leads from a place in the text that was read to the same place in the file."""

    text: str
    original: str
    start: int
    first_line: int

    def of(self, event: Event) -> tuple[int, int] | None:
        """The position of a scalar in the file; None if it spans lines there."""
        if self.text is self.original:
            return self.start + event.start, self.start + event.end
        number = self.text.count("\n", 0, event.start)
        if self.text.count("\n", 0, event.end) != number:
            return None
        read, written = self.text.split("\n")[number], self.original.split("\n")[number]
        line_start = self.start + sum(len(one) + 1 for one in self.original.split("\n")[:number])
        if read != written:
            match = KEY_AND_VALUE.match(written)
            if not match:
                return None
            return line_start + match.start(3), line_start + len(written.rstrip())
        read_start = self.text.rfind("\n", 0, event.start) + 1
        return line_start + event.start - read_start, line_start + event.end - read_start

    def at(self, index: int) -> int:
        """The place in the file of a place in the text, to the line."""
        if self.text is self.original:
            return self.start + index
        number = self.text.count("\n", 0, index)
        return self.start + sum(len(one) + 1 for one in self.original.split("\n")[:number])

    def line(self, index: int) -> int:
        return self.first_line + self.text.count("\n", 0, index)


def _entry(
    key: Sequence[Event],
    value: Sequence[Event],
    anchors: dict[str, Sequence[Event]],
    places: _Places,
) -> FrontmatterKey:
    meant = anchors[value[0].anchor] if value[0].kind == "alias" else value
    kind, text, items = _meaning(meant, anchors)
    span = _span(key[0], value, places)
    written = places.original[span[0] - places.start] if span and span[0] < span[1] else ""
    return FrontmatterKey(
        key=key[0].text if len(key) == 1 else "",
        line=places.line(key[0].start),
        kind=kind,
        text=text,
        items=items,
        span=span,
        quote=written if written in {"'", '"'} else "",
        start=places.at(key[0].start),
        end=places.at(value[-1].end),
        events=tuple(event.meaning for event in (*key, *value)),
    )


def _meaning(
    value: Sequence[Event], anchors: dict[str, Sequence[Event]]
) -> tuple[Kind, str, tuple[str, ...]]:
    first = value[0]
    if first.kind == "scalar":
        if first.style or first.tag.endswith(":str") or plain_is_text(first.text):
            return "text", first.text, ()
        return ("other", first.text, ()) if first.text else ("empty", "", ())
    if first.kind == "list":
        meant = [anchors[one.anchor][0] if one.kind == "alias" else one for one in value[1:-1]]
        return "list", "", tuple(one.text for one in meant if one.kind == "scalar")
    return "other", "", ()


def _span(key: Event, value: Sequence[Event], places: _Places) -> tuple[int, int] | None:
    """Where the value can be exchanged: a scalar of one line with no anchor and no tag."""
    first = value[0]
    if key.kind != "scalar" or len(value) > 1 or first.kind != "scalar":
        return None
    if first.anchor or first.tag or first.style in {"|", ">"}:
        return None
    if first.start == first.end:  # nothing stands there: right behind the colon
        colon = places.text.find(":", key.end, first.end + 1)
        if colon < 0 or places.text is not places.original:
            return None
        return places.start + colon + 1, places.start + colon + 1
    if "\n" in places.text[first.start : first.end]:
        return None
    return places.of(first)
