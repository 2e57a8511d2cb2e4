"""What is looked at: environment, client files, named files; what each sets on which line."""

from __future__ import annotations

import json
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spadework.claude_code.json_files import UnreadableFile, parse, read_text
from spadework.config.secret_masking import SUBSCRIPTION_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from spadework.claude_code.claude_client import ClaudePaths

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# Shells (also `env NAME=value program`, fish's `set -gx NAME value`, csh's `setenv`, PowerShell's
# `$env:NAME =`), .env files, TOML and YAML.
_ASSIGNED = re.compile(
    rf"(?<!\$\{{)(?<![\w$])(?:set(?:env)?\s+(?:-\w+\s+){{0,8}}(?P<set>{_NAME})\s+|"
    rf"(?:\$env:)?[\"']?(?P<name>{_NAME})[\"']?\s*[=:]\s*)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s;&|#)\"']*)"
)
GUARDED = frozenset({
    "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", *SUBSCRIPTION_VARIABLES
})  # fmt: skip
# Not where it is only read: `$NAME`, `${NAME}`, `${NAME:-x}`; nor as a text of TOML or YAML.
_GUARDED = re.compile(
    rf"(?<![\w$])(?<![=:] )(?:{'|'.join(sorted(GUARDED))})(?!\w)"
    rf"|(?<=\$\{{)(?:{'|'.join(sorted(GUARDED))})(?=:?=)"
)
_HARMLESS = re.compile(
    r"(?<![\w-])(?:unset(?:env)?|printenv|echo|e?grep|env\s+-u|(?:declare|typeset)\s+-p|export\s+-[np]"
    r"|set\s+-(?:\w*[eq]\w*)|(?:\[{1,2}|test)\s+(?:!\s+)?-[nvz])\s[^;&|\n]*"
    rf"|(?<![\w-])(?:export|declare|typeset)(?:\s+-\w+)*(?:\s+{_NAME})+\s*(?=$|[;&|])"
    rf"|\$\{{[#!]?{_NAME}(?!\w|:?=)"
)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_QUOTES = re.compile(r"[\"'\\]")
_ADDRESS = re.compile(r"https?://[^\s)}>;|&]+")
_SERVERS = re.compile(r'(?<!\\)"mcpServers"\s*:\s*(?=\{)')
_PAIR = re.compile(rf"({_NAME})=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NamedSetting:
    """A name and its value; the value is a secret until the opposite is known, so never shown.

    `line` is 0 for a source without lines, such as the environment.
    """

    name: str
    value: str = field(repr=False)
    line: int = 0


def of_text(text: str) -> Iterator[NamedSetting]:
    """What a shell profile, a .env file, TOML or YAML sets; a comment sets nothing.

    Shells have many ways to set a variable besides `NAME=value` (`read`, `printf -v`, `for`,
    `${NAME:=value}`, …). So whatever else names one of the guarded variables, and is not known
    only to look at it or to unset it, counts as setting it.
    """
    assigned = list(_assigned(text))
    yield from assigned
    known = {(one.name, one.line) for one in assigned}
    for number, line in _logical_lines(text):
        lines = range(number, number + line.count("\n") + 1)
        bare = _QUOTES.sub("", _HARMLESS.sub("", _COMMENT.sub("", line.replace("\\\n", ""))))
        for found in _GUARDED.finditer(bare):
            if not any((found[0], one) in known for one in lines):
                address = _ADDRESS.search(bare, found.end())
                yield NamedSetting(found[0], address[0] if address else bare.strip(), number)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers; those that end in a backslash go on."""
    start, gathered = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        start = start if gathered else number
        gathered += line
        if line.endswith("\\"):
            gathered += "\n"
            continue
        yield start, gathered
        gathered = ""
    if gathered:
        yield start, gathered


def _assigned(text: str) -> Iterator[NamedSetting]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        for found in _ASSIGNED.finditer(line):
            value = found["value"]
            if value[:1] in {'"', "'"}:
                value = value[1:-1]
                yield from (NamedSetting(one.name, one.value, number) for one in _assigned(value))
            yield NamedSetting(found["set"] or found["name"], value, number)


def of_json(text: str) -> Iterator[NamedSetting]:
    """Every text in a JSON file, by its key; `NAME=value` is split too.

    Args:
        text: the whole file, which is valid JSON.
    """
    yield from _within(json.loads(text), text, 0, len(text))


def of_servers(text: str) -> Iterator[NamedSetting]:
    """The same, of every table of MCP servers in the file alone."""
    for found in _SERVERS.finditer(text):
        with suppress(ValueError):  # it occurs in a text, not in a table
            servers, end = json.JSONDecoder().raw_decode(text, found.end())
            yield from _within(servers, text, found.end(), end)


def _within(document: Any, text: str, start: int, end: int) -> Iterator[NamedSetting]:
    lines = _Lines(text, start, end)
    for name, value in _leaves("", document):
        line = lines.of(name, value)
        yield NamedSetting(name, value, line)
        if pair := _PAIR.fullmatch(value):
            yield NamedSetting(pair[1], pair[2], line)


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


@dataclass(frozen=True, slots=True)
class InspectedSource:
    """One place and what it sets; `problem` says why it could not be read.

    `commands` are the command lines that it starts; `is_open` says that others can read the file.
    """

    place: str
    settings: tuple[NamedSetting, ...] = ()
    commands: tuple[NamedSetting, ...] = ()
    is_open: bool = False
    is_there: bool = True
    problem: str = ""


def of_environment(environ: Mapping[str, str]) -> InspectedSource:
    """The environment of this process, which the client's servers inherit alike."""
    return InspectedSource("environment", tuple(NamedSetting(*one) for one in environ.items()))


def of_client(places: ClaudePaths) -> Iterator[InspectedSource]:
    """The client's settings of all scopes, and its server entries."""
    for path in places.settings.values():
        yield _json(path, whole=True)
    yield _json(places.client_file, whole=False)
    for folder in (places.project, *places.project.parents):
        path = folder / places.project_file.name
        if folder == places.project or path.exists():
            yield _json(path, whole=True)


def of_files(paths: Sequence[Path]) -> Iterator[InspectedSource]:
    """Files of text: shell profiles, pipelines' environments, Spadework's config."""
    for path in paths:
        yield _text(path)


def _json(path: Path, *, whole: bool) -> InspectedSource:
    """Read a JSON file of the client's; of its own file only the server entries count.

    The rest of that file holds what the user typed, which sets nothing.
    """
    try:
        text = read_text(path)
        if text is None:
            return InspectedSource(str(path), is_there=False)
        if text.strip():
            parse(text)
    except UnreadableFile as reason:
        return InspectedSource(str(path), problem=str(reason))
    read = of_json if whole else of_servers
    found = tuple(read(text)) if text.strip() else ()
    return InspectedSource(str(path), found, tuple(_commands(found)), _is_open(path))


def _commands(found: tuple[NamedSetting, ...]) -> Iterator[NamedSetting]:
    names = {"command", "args", "apiKeyHelper", "headersHelper"}
    return (one for one in found if one.name in names)


def _text(path: Path) -> InspectedSource:
    try:
        text = read_text(path)
    except UnreadableFile as reason:
        return InspectedSource(str(path), problem=str(reason))
    if text is None:
        return InspectedSource(str(path), is_there=False)
    lines = tuple(
        NamedSetting("", line, number)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    )
    # A token in a comment is a token in a file.
    whole = tuple(NamedSetting("", line, n) for n, line in enumerate(text.split("\n"), 1))
    return InspectedSource(str(path), (*of_text(text), *whole), lines, _is_open(path))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False
