"""Changes one member of a JSON text and leaves every other character as it is.

Comments and trailing commas are understood too (JSONC): a change never touches them. Each function
takes a text that `load` has accepted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Keys = Sequence[str]

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_COMMENT = r"//[^\n]*+|/\*.*?\*/"
_GAP = re.compile(rf"(?:\s++|{_COMMENT})*+", re.DOTALL)
_SAME_LINE = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/(?=[ \t]*\r?\n))")
_SCALAR = re.compile(rf"{_STRING}|[^\s,\]}}/]++", re.DOTALL)
# What has no end runs to the end: else it would be read again from each quote in it.
_OPEN_STRING = rf'{_STRING[:-1]}(?:"|\Z)'
_OPEN_COMMENT = r"//[^\n]*+|/\*.*?(?:\*/|\Z)"
_NESTING = re.compile(rf"{_OPEN_STRING}|{_OPEN_COMMENT}|[][{{}}]", re.DOTALL)
_STRING_OR_COMMENT = re.compile(rf"({_OPEN_STRING})|{_OPEN_COMMENT}", re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rf"({_OPEN_STRING})|,(?=\s*[}}\]])", re.DOTALL)
_DEFAULT_INDENT = "  "


class NotJson(ValueError):
    """The text is not JSON, or not of the shape that a change needs; says where."""


@dataclass(frozen=True, slots=True)
class _Child:
    """A member of an object, or an item of a list, whose key is None, and its position."""

    key: str | None
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Container:
    """An object or a list: where its brackets stand, and its children."""

    opening: int
    closing: int
    children: tuple[_Child, ...]


def load(text: str, *, comments: bool = False) -> Any:
    """Parse a text, which must hold an object.

    Args:
        text: the whole text, without a byte order mark; empty counts as an empty object.
        comments: whether comments and trailing commas are allowed.

    Raises:
        NotJson: it cannot be parsed, or is not an object.
    """
    plain = _STRING_OR_COMMENT.sub(_blank, text) if comments else text
    plain = _STRING_OR_LAST_COMMA.sub(_blank, plain) if comments else plain
    if not plain.strip():
        return {}
    try:
        document = json.loads(plain)
    except json.JSONDecodeError as error:
        has_comments = not comments and _STRING_OR_COMMENT.sub(_blank, text) != text
        about = "; it has comments, which this file may not have" if has_comments else ""
        raise NotJson(f"line {error.lineno}: {error.msg}{about}") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise NotJson("it holds no object")
    return document


def set_member(text: str, keys: Keys, value: Any) -> str:
    """Set a member; the objects around it are made where they are missing.

    Raises:
        NotJson: a parent is not an object, or a key occurs twice.
    """
    if _GAP.fullmatch(text):
        text = "{}" + _newline(text)
    container, depth = _root(text), 0
    while (found := _child(text, container, keys[depth])) and depth < len(keys) - 1:
        container = _container(text, found.value, keys[: depth + 1])
        depth += 1
    if found:
        own_line = _line_before(text, found.start) is not None
        written = _written(value, _indent_at(text, found.start), _unit(text), _newline(text))
        new = written if own_line else json.dumps(value, ensure_ascii=False)
        return text[: found.value] + new + text[found.end :]
    for key in reversed(keys[depth + 1 :]):
        value = {key: value}
    return _insert(text, container, keys[depth], value)


def remove_member(text: str, keys: Keys) -> str:
    """Remove a member; nothing is changed where it is not there.

    Raises:
        NotJson: a key stands there twice.
    """
    container = _find(text, keys[:-1])
    found = _child(text, container, keys[-1]) if container else None
    return _cut(text, container, found) if container and found else text


def add_item(text: str, keys: Keys, item: Any) -> str:
    """Add an item at the front of a list, which is made where it is missing.

    Raises:
        NotJson: the value is not a list, or a key occurs twice.
    """
    container = _find(text, keys, "[")
    return set_member(text, keys, [item]) if container is None else _insert(
        text, container, None, item
    )  # fmt: skip


def remove_item(text: str, keys: Keys, item: Any) -> str:
    """Remove the first item that is equal; nothing is changed where there is none.

    Raises:
        NotJson: the value is not a list, or a key occurs twice.
    """
    container = _find(text, keys, "[")
    written = json.dumps(item)
    for child in container.children if container else ():
        if text[child.value : child.end] == written:
            return _cut(text, container, child) if container else text
    return text


def _blank(match: re.Match[str]) -> str:
    """Keep a text, and make blanks of what else was found, so that every line stays in place."""
    return match[1] or re.sub(r"[^\r\n]", " ", match[0])


def _root(text: str) -> _Container:
    return _container(text, _skip(text, 0), ())


def _find(text: str, keys: Keys, opening: str = "{") -> _Container | None:
    """Find an object, or a list, by its path; None where it, or what is around it, is missing."""
    if _GAP.fullmatch(text):
        return None
    container = _root(text)
    for depth, key in enumerate(keys, 1):
        found = _child(text, container, key)
        if found is None:
            return None
        container = _container(
            text, found.value, keys[:depth], opening if depth == len(keys) else "{"
        )
    return container


def _child(text: str, container: _Container, key: str) -> _Child | None:
    found = [child for child in container.children if child.key == key]
    if len(found) > 1:
        line = text.count("\n", 0, found[1].start) + 1
        raise NotJson(f"line {line}: {key!r} stands there a second time")
    return found[0] if found else None


def _container(text: str, at: int, keys: Keys, opening: str = "{") -> _Container:
    if text[at] != opening:
        line = text.count("\n", 0, at) + 1
        kind = "a list" if opening == "[" else "an object"
        raise NotJson(f"line {line}: {'.'.join(keys) or 'it'} is not {kind}")
    closing = "}" if opening == "{" else "]"
    children = []
    position = _skip(text, at + 1)
    while text[position] != closing:
        start, key = position, None
        if opening == "{":
            end = _end(text, position)
            key = json.loads(text[position:end])
            position = _skip(text, _skip(text, end) + 1)
        end = _end(text, position)
        children.append(_Child(key, start, position, end))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return _Container(at, position, tuple(children))


def _skip(text: str, position: int) -> int:
    """Go over blanks and comments."""
    match = _GAP.match(text, position)
    return match.end() if match else position


def _end(text: str, start: int) -> int:
    """Return where a value ends."""
    if text[start] not in "{[":
        match = _SCALAR.match(text, start)
        return match.end() if match else start
    depth = 0
    for token in _NESTING.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    raise AssertionError("a text that was loaded closes its brackets")


def _insert(text: str, container: _Container, key: str | None, value: Any) -> str:
    """Put a child first, so that no other line changes, not even by a comma."""
    head = f"{json.dumps(key, ensure_ascii=False)}: " if key is not None else ""
    newline, unit = _newline(text), _unit(text)
    base = _indent_at(text, container.opening)
    start = container.opening + 1
    if comment := _SAME_LINE.match(text, start):
        start = comment.end()
    if container.children:
        first = container.children[0].start
        if "\n" not in text[start:first]:
            return text[:first] + head + json.dumps(value, ensure_ascii=False) + ", " + text[first:]
        indent = _indent_at(text, first)
        new = f"{newline}{indent}{head}{_written(value, indent, unit, newline)},"
        return text[:start] + new + text[start:]
    kept = text[start : container.closing].rstrip()
    one_line = "\n" not in text.strip() and text[: container.opening].strip() and not kept
    if one_line:
        new = head + json.dumps(value, ensure_ascii=False)
        return text[:start] + new + text[container.closing :]
    indent = base + unit
    new = f"{newline}{indent}{head}{_written(value, indent, unit, newline)}{newline}{base}"
    return text[:start] + kept + new + text[container.closing :]


def _cut(text: str, container: _Container, child: _Child) -> str:
    """Take a child out, with its line and the one comma that goes with it."""
    siblings = container.children
    place = siblings.index(child)
    after = _skip(text, child.end)
    has_comma = text[after] == ","
    start, end = child.start, after + 1 if has_comma else child.end
    if (line := _line_before(text, start)) is not None:
        start = line
    elif place + 1 < len(siblings):
        end = siblings[place + 1].start
    elif place:
        start = siblings[place - 1].end
    before, rest = text[:start], text[end:]
    if place and not has_comma:  # the last one: the comma before it has to go
        comma = _skip(text, siblings[place - 1].end)
        if comma < start:
            before = text[:comma] + text[comma + 1 : start]
    if not (text[container.opening + 1 : start] + text[end : container.closing]).strip():
        return text[: container.opening + 1] + text[container.closing :]
    return before + rest


def _line_before(text: str, position: int) -> int | None:
    """Return the position of the line break before a place; None if more is on its line."""
    line = text.rfind("\n", 0, position)
    if line < 0 or text[line:position].strip():
        return None
    return line - 1 if text[line - 1 : line] == "\r" else line


def _written(value: Any, indent: str, unit: str, newline: str) -> str:
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return (newline + indent).join(lines)


def _indent_at(text: str, position: int) -> str:
    """Return the blanks at the begin of the line that a place is on."""
    line = text.rfind("\n", 0, position) + 1
    match = re.compile(r"[ \t]*").match(text, line)
    return match[0] if match else ""


def _unit(text: str) -> str:
    """Return what the text indents by: the blanks of its first line that has some."""
    match = re.search(r"\n([ \t]+)\S", text)
    return match[1] if match else _DEFAULT_INDENT


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
