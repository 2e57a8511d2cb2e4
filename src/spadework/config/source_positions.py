"""The line of each key of a TOML document: `tomllib` reports no line numbers.

The document must be one that `tomllib` has accepted, so the scanner need not check anything.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r'''
      """(?:\\.|[^\\])*?"{3,5}   # multi-line text: up to two quotes may stand before its end
    | \'\'\'.*?'{3,5}
    | "(?:\\.|[^"\\])*"
    | '[^']*'
    | \#[^\n]*
    | \n
    | [][{}=,.]
    | [^][{}=,.#"'\s]+
    ''',
    re.VERBOSE | re.DOTALL,
)
_VALUE_ENDS = frozenset({",", "]", "}", "\n", ""})


@dataclass(slots=True)
class SourcePosition:
    """A key's line, counted from 1, and the places of what it holds, by key or list index."""

    line: int
    inside: dict[str | int, SourcePosition] = field(default_factory=dict)

    def find(self, path: Sequence[str | int]) -> SourcePosition:
        """Return the place of a key path, or of the nearest table around it that is there."""
        place = self
        for key in path:
            if key not in place.inside:
                break
            place = place.inside[key]
        return place

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """Return the line of a key path, None if the document does not contain it."""
        place: SourcePosition | None = self
        for key in path:
            place = place.inside.get(key) if place else None
        return place.line if place else None


class _Token(NamedTuple):
    text: str
    line: int


def _enter(place: SourcePosition, key: str | int, line: int) -> SourcePosition:
    return place.inside.setdefault(key, SourcePosition(line))


def _newest(place: SourcePosition) -> SourcePosition:
    """Return the table that a header speaks of: of a list of tables, the last one."""
    return place.inside[len(place.inside) - 1] if 0 in place.inside else place


def locate(text: str) -> SourcePosition:
    """Find the line of every key of a valid TOML document.

    A key that several headers mention stands where it is mentioned first.
    """
    return _Scanner(text).document()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)

    def document(self) -> SourcePosition:
        root = table = SourcePosition(1)
        while self._token.text:
            if self._token.text == "\n":
                self._next()
            elif self._token.text == "[":
                table = self._header(root)
            else:
                self._pair(table)
        return root

    def _next(self) -> _Token:
        token, self._token = self._token, next(self._tokens, _Token("", self._token.line))
        return token

    def _skip(self, *texts: str) -> int:
        count = 0
        while self._token.text in texts:
            self._next()
            count += 1
        return count

    def _header(self, root: SourcePosition) -> SourcePosition:
        line = self._token.line
        is_list = self._skip("[") > 1
        table = root
        for key in self._key():
            table = _enter(_newest(table), key, line)
        self._skip("]")
        return _enter(table, len(table.inside), line) if is_list else table

    def _key(self) -> list[str]:
        parts = [_unquoted(self._next().text)]
        while self._skip("."):
            parts.append(_unquoted(self._next().text))
        return parts

    def _pair(self, table: SourcePosition) -> None:
        line = self._token.line
        for key in self._key():
            table = _enter(table, key, line)
        self._skip("=")
        self._value(table)

    def _value(self, place: SourcePosition) -> None:
        opening = self._next().text
        if opening == "[":
            self._skip("\n", ",")
            while self._token.text not in {"]", ""}:
                self._value(_enter(place, len(place.inside), self._token.line))
                self._skip("\n", ",")
            self._next()
        elif opening == "{":
            self._skip("\n", ",")
            while self._token.text not in {"}", ""}:
                self._pair(place)
                self._skip("\n", ",")
            self._next()
        else:
            while self._token.text not in _VALUE_ENDS:
                self._next()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if not token.startswith("#"):
            yield _Token(token, line)
        line += token.count("\n")
    yield _Token("", line)


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    return str(tomllib.loads(f"key = {key}")["key"])
