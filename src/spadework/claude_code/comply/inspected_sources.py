"""What is looked at: the environment, the client's files, Spadework's config, named files."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.claude_code.comply import settings
from spadework.claude_code.json_files import UnreadableFile, parse, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from spadework.claude_code.claude_paths import Places
    from spadework.claude_code.comply.settings import NamedSetting


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
    return InspectedSource("environment", tuple(settings.of_environment(environ)))


def of_client(places: Places) -> Iterator[InspectedSource]:
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
    read = settings.of_json if whole else settings.of_servers
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
        settings.NamedSetting("", line, number)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    )
    # A token in a comment is a token in a file.
    whole = tuple(settings.NamedSetting("", line, n) for n, line in enumerate(text.split("\n"), 1))
    return InspectedSource(str(path), (*settings.of_text(text), *whole), lines, _is_open(path))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False
