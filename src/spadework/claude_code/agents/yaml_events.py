"""YAML as a flat list of events with places: no aliases followed, no depth that could hurt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

EventKind = Literal["scalar", "alias", "mapping", "list", "end"]

_NO_TEXT = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|0x[0-9a-fA-F]+|0o[0-7]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|"
)


# What the client's reader takes and ours does not, each exchanged for as many harmless characters.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
_TABS_AT_THE_END = re.compile(r"(?<![ \t])(?= *+\t)[ \t]++(?=\r?\n|\Z)")

_DEEPEST = 50
_LONGEST = 128 * 1024
"""Characters; a frontmatter is a page at most, and reading one takes time by its length."""


class UnreadableYaml(Exception):
    """The text is not YAML that can be used here; `line` counts from 0, None if unknown."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(" ".join(message.split()))
        self.line = line


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `start` and `end` are its place in the text.

    `style` is the quote of a scalar (`'`, `"`, `|`, `>`; empty: plain), `{` for a flow mapping.
    """

    kind: EventKind
    text: str
    style: str
    anchor: str
    tag: str
    line: int
    start: int
    end: int

    @property
    def meaning(self) -> tuple[object, ...]:
        """All but the place."""
        return self.kind, self.text, self.style, self.anchor, self.tag


def plain_is_text(text: str) -> bool:
    """Whether a plain scalar is a text: no number, truth value or null."""
    return _NO_TEXT.fullmatch(text) is None


def events_of(text: str) -> list[Event]:
    """Read a YAML text of one document.

    Returns:
        Its events without those of stream and document; empty if it holds nothing.

    Raises:
        UnreadableYaml: it is not YAML, has several documents, is too long or nested too deep.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - 60 ms that other commands do not need
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above

    if len(text) > _LONGEST:
        raise UnreadableYaml(f"it is over {_LONGEST} characters long")
    if "\x00" in text:
        raise UnreadableYaml("it holds a NUL", text.count("\n", 0, text.index("\x00")))
    found = []
    documents = depth = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(_harmless(text)):
            name = type(event).__name__
            documents += name == "DocumentStartEvent"
            if documents > 1:
                raise UnreadableYaml("it holds several documents", event.start_mark.line)
            if kind := _KINDS.get(name):
                found.append(_event(kind, event))
                depth += _STEPS.get(kind, 0)
            if depth > _DEEPEST:  # each level makes the scanner slower
                raise UnreadableYaml("it is nested too deep", event.start_mark.line)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "bad text"
        raise UnreadableYaml(str(problem), mark.line if mark else None) from None
    except (ValueError, IndexError, AttributeError, TypeError, AssertionError):
        # The scanner stumbles over some broken escapes and directives.
        raise UnreadableYaml("the YAML is broken") from None
    # A document that holds but comments is one empty scalar.
    return [] if len(found) == 1 and not found[0].text and not found[0].style else found


def _harmless(text: str) -> str:
    tidied = _TABS_AT_THE_END.sub(lambda found: " " * len(found[0]), text)
    return _CONTROL.sub("\ufffd", tidied)


_KINDS: dict[str, EventKind] = {
    "ScalarEvent": "scalar",
    "AliasEvent": "alias",
    "MappingStartEvent": "mapping",
    "SequenceStartEvent": "list",
    "MappingEndEvent": "end",
    "SequenceEndEvent": "end",
}


_STEPS: dict[EventKind, int] = {"mapping": 1, "list": 1, "end": -1}


def _event(kind: EventKind, event: Any) -> Event:
    style = getattr(event, "style", None) or ""
    if kind == "mapping" and event.flow_style:
        style = "{"
    return Event(
        kind=kind,
        text=str(getattr(event, "value", "") or ""),
        style=style,
        anchor=getattr(event, "anchor", None) or "",
        tag=str(getattr(event, "tag", None) or ""),
        line=event.start_mark.line,
        start=event.start_mark.index,
        end=event.end_mark.index,
    )
