"""Names and values out of any file that may set them, each with its line."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# Shells (also `env NAME=value program`, fish's `set -gx NAME value`, csh's `setenv`, PowerShell's
# `$env:NAME =`), .env files, TOML and YAML.
_ASSIGNED = re.compile(
    rf"(?<!\$\{{)(?<![\w$])(?:set(?:env)?\s+(?:-\w+\s+){{0,8}}(?P<set>{_NAME})\s+|"
    rf"(?:\$env:)?[\"']?(?P<name>{_NAME})[\"']?\s*[=:]\s*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s;&|#)\"']*)"
)
_SERVERS = re.compile(r'(?<!\\)"mcpServers"\s*:\s*(?=\{)')
_PAIR = re.compile(rf"({_NAME})=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Setting:
    """A name and its value; the value is a secret until the opposite is known, so never shown.

    `line` is 0 where there are no lines, as in the environment.
    """

    name: str
    value: str = field(repr=False)
    line: int = 0


def of_environment(environ: Mapping[str, str]) -> Iterator[Setting]:
    """Every variable."""
    for name, value in environ.items():
        yield Setting(name, value)


def of_text(text: str) -> Iterator[Setting]:
    """What a shell profile, a .env file, TOML or YAML sets; a comment sets nothing."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        for found in _ASSIGNED.finditer(line):
            value = found["value"]
            if value[:1] in {'"', "'"}:
                value = value[1:-1]
                yield from (Setting(one.name, one.value, number) for one in of_text(value))
            yield Setting(found["set"] or found["name"], value, number)


def of_json(text: str) -> Iterator[Setting]:
    """Every text in a JSON file, by the key it stands under; `NAME=value` is split too.

    Args:
        text: the whole file, which is valid JSON.
    """
    yield from _within(json.loads(text), text, 0, len(text))


def of_servers(text: str) -> Iterator[Setting]:
    """The same, of every table of MCP servers in the file alone."""
    for found in _SERVERS.finditer(text):
        with suppress(ValueError):  # it stands in a text that is no table
            servers, end = json.JSONDecoder().raw_decode(text, found.end())
            yield from _within(servers, text, found.end(), end)


def _within(document: Any, text: str, start: int, end: int) -> Iterator[Setting]:
    lines = _Lines(text, start, end)
    for name, value in _leaves("", document):
        line = lines.of(name, value)
        yield Setting(name, value, line)
        if pair := _PAIR.fullmatch(value):
            yield Setting(pair[1], pair[2], line)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield "", key  # a secret may stand there too
            yield from _leaves(key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(name, inner)


class _Lines:
    """Finds the lines of texts in a part of a JSON file, whichever way they are escaped.

    A text that stands there again is looked for behind its last place.
    """

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text = text
        self._start = start
        self._end = end
        self._last: dict[tuple[str, str], int] = {}

    def of(self, name: str, value: str) -> int:
        start = self._last.get((name, value), self._start)
        plain = {json.dumps(value), json.dumps(value, ensure_ascii=False)}
        spelt = "|".join(re.escape(one) for one in plain | {p.replace("/", r"\/") for p in plain})
        keyed = re.compile(rf"{re.escape(json.dumps(name))}\s*:\s*(?:{spelt})")
        found = keyed.search(self._text, start, self._end)
        found = found or re.compile(spelt).search(self._text, start, self._end)
        if found is None:
            return 0
        self._last[name, value] = found.end()
        return self._text.count("\n", 0, found.start()) + 1
