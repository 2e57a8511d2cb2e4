"""Holds everything that is looked at against the rules."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.claude_code.claude_client import claude_paths
from spadework.claude_code.comply.inspected_sources import (
    InspectedSource,
    of_client,
    of_environment,
    of_files,
)
from spadework.claude_code.comply.limits import HARNESSES, breaches, is_key, named_harness
from spadework.claude_code.json_files import is_credential_file
from spadework.config.api_keys import exposed
from spadework.config.loader import load_config
from spadework.errors import ArgumentError, ConfigError
from spadework.util.finding import Finding
from spadework.util.paths import user_config_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOVED = {".local/share/": "XDG_DATA_HOME", ".config/": "XDG_CONFIG_HOME"}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is looked at: a project, an environment, and the files that the user names."""

    project: Path
    environ: Mapping[str, str]
    profiles: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()


def inspect(asked: Inspection) -> list[Finding]:
    """Look at everything; a place where nothing was found has a line too.

    Raises:
        ArgumentError: a file that the user named is not there, or holds the client's login.
    """
    named = tuple(dict.fromkeys((*asked.profiles, *asked.env_files)))
    for path in named:
        _refuse(path)
    sources = [
        of_environment(asked.environ),
        *of_client(claude_paths(asked.project, asked.environ)),
        *of_files([*named, user_config_file()]),
    ]
    findings = [finding for source in sources for finding in _judge(source)]
    return [*findings, *_key_files(), *_harnesses(asked.environ)]


def _refuse(path: Path) -> None:
    if is_credential_file(path):
        raise ArgumentError(f"{path} holds the client's login; it is never read")
    if not path.exists():
        raise ArgumentError(f"no such file: {path}", hint="name a file that exists")


def _judge(source: InspectedSource) -> Iterator[Finding]:
    """Check one place; its `ok` line says that it was looked at."""
    if source.problem:
        yield Finding(
            "error", "unreadable", source.place, source.problem, "fix it, then check again"
        )
        return
    found = sorted(dict.fromkeys(_found(source)), key=lambda one: one[0])
    if not found:
        text = "nothing against the rules" if source.is_there else "not there"
        yield Finding("ok", "inspected", source.place, text)
    yield from (finding for _, finding in found)


def _found(source: InspectedSource) -> Iterator[tuple[int, Finding]]:
    """What is found, with its line."""
    for setting in source.settings:
        where = f"{source.place}:{setting.line}" if setting.line else source.place
        for breach in breaches(setting):
            yield setting.line, Finding("error", breach.code, where, breach.text, breach.cure)
        if source.is_open and is_key(setting):
            cure = f"`chmod 600 {source.place}`, or name a variable instead of the key"
            text = "a key is in a file that others can read"
            yield setting.line, Finding("error", "open-key-file", where, text, cure)
    for command in source.commands:
        if harness := named_harness(command.value):
            where = f"{source.place}:{command.line}"
            text = f"{harness.name} is started here: it {harness.does}"
            cure = "take it out: the login is for Claude Code alone"
            yield command.line, Finding("error", "harness", where, text, cure)


def _key_files() -> Iterator[Finding]:
    """Files that Spadework's config names for keys; they are not read."""
    if not os.path.lexists(user_config_file()):
        return  # it has a line already, and is not a breach
    try:
        config = load_config().config
    except ConfigError as error:
        text = "is not valid, so the key files that it names were not checked"
        yield Finding("error", "unreadable", str(user_config_file()), text, error.hint)
        return
    files = {f"backend {name}": one.api_key_file for name, one in config.backends.items()}
    files["claude_api"] = config.claude_api.api_key_file
    for place, file in files.items():
        if file is None:
            continue
        if is_credential_file(file):
            text = "api_key_file names the client's login, which is for Claude Code alone"
            yield Finding(
                "error", "login-file", place, text, "name a file with a key for that server"
            )
        elif exposed(file):
            text = f"others can read the key file {file}"
            yield Finding("error", "open-key-file", place, text, f"`chmod 600 {file}`")


def _harnesses(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether files of known harnesses exist; none is opened."""
    home = Path(environ.get("HOME") or Path.home())
    found = False
    for harness in HARNESSES:
        for pattern in harness.holds:
            for path in _matching(home, pattern, environ):
                found = True
                text = f"{harness.name} holds a Claude login: it {harness.does}"
                yield Finding(
                    "error", "harness", str(path), text, "log it out there, and remove the file"
                )
        for pattern in harness.may_hold:
            for path in _matching(home, pattern, environ):
                found = True
                text = f"{harness.name} is set up: it {harness.does}"
                yield Finding(
                    "warning", "harness", str(path), text, "see that it has no Claude login"
                )
    if not found:
        yield Finding(
            "ok", "inspected", "harnesses", f"no files of the {len(HARNESSES)} that are known"
        )


def _matching(home: Path, pattern: str, environ: Mapping[str, str]) -> list[Path]:
    """The files that are there; XDG's folders may lie elsewhere."""
    for folder, variable in _MOVED.items():
        if pattern.startswith(folder) and (chosen := environ.get(variable)):
            return sorted(Path(chosen).glob(pattern.removeprefix(folder)))
    return sorted(home.glob(pattern))
