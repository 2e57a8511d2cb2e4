"""Items that are lines: a JSONL file, or standard input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from journeyman.errors import ArgumentError
from journeyman.pipelines.values import Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME_LENGTH = 60
_FORM = 'a line is a text in quotes, or an object such as {"text": …} or {"path": …}'

Line = tuple[int, str]
"""A line's number from 1 on, and the line without its end."""


def lines_of(text: str) -> list[Line]:
    """Split a text at its line ends, JSON's own rarer ones aside; empty lines are left out."""
    lines = enumerate(text.split("\n"), 1)
    return [(number, line.rstrip("\r")) for number, line in lines if line.strip()]


def json_items(lines: Iterable[Line], where: str, *, private: bool) -> Iterator[Item]:
    """Make an item of each line of JSON; `number` is the line's, `path` is as it was given.

    Args:
        lines: the lines.
        where: what they are called in messages.
        private: whether all of them are.

    Raises:
        ArgumentError: a line is no JSON, or neither a text nor an object; names file and line.
    """
    for number, line in lines:
        yield _json_item(number, _parsed(line, f"{where}, line {number}"), where, private=private)


def is_jsonl(lines: list[Line]) -> bool:
    """Whether they are meant as JSONL: the first one is an object."""
    if not lines or not lines[0][1].lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(lines[0][1]), dict)
    except (ValueError, RecursionError):
        return False


def text_items(lines: Iterable[Line], *, private: bool) -> Iterator[Item]:
    """Make an item of each line as it stands."""
    for number, line in lines:
        yield Item(number, short(line), text=line, private=private)


def short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text[: 4 * _NAME_LENGTH].split())
    return line if len(line) <= _NAME_LENGTH else line[: _NAME_LENGTH - 1] + "…"


def _parsed(line: str, at: str) -> Any:
    try:
        data = json.loads(line)
        # What could not be written again: half a character, NaN, a number without end.
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{at}: it holds half a character (a lone surrogate)") from None
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at column {error.colno}"
        raise ArgumentError(f"{at}: it is no JSON: {reason}", hint=_FORM) from None
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{at}: it is no JSON that can be kept: {error}") from None
    return data


def _json_item(number: int, data: Any, where: str, *, private: bool) -> Item:
    at = f"{where}, line {number}"
    if isinstance(data, str):
        return Item(number, short(data), text=data, data=data, private=private)
    if not isinstance(data, dict):
        raise ArgumentError(f"{at}: it is neither a text nor an object", hint=_FORM)
    text = _field(data, "text", str, at)
    path = _field(data, "path", str, at)
    marked = _field(data, "private", bool, at) or False
    if text is None and path is None:
        text = json.dumps(data, ensure_ascii=False)
    name = _field(data, "name", str, at) or path or text or ""
    return Item(number, short(name), path, text, data, private=private or marked)


def _field(data: dict[str, Any], name: str, kind: type[Any], at: str) -> Any:
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        what = "a text" if kind is str else "true or false"
        raise ArgumentError(f"{at}: its {name!r} is not {what}")
    return value
