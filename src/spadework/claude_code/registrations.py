"""Where servers of ours are registered, and what the client makes of each entry.

Measured on Claude Code 2.1.330: local takes precedence over an approved project entry,
and that over user. An entry that waits for approval hides none. A plugin's server with the command
of a registered one is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from spadework.claude_code.claude_client import SERVER_NAME
from spadework.claude_code.json_files import UnreadableFile, read_object, table, texts
from spadework.claude_code.plugins import enabled_plugins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from spadework.claude_code.claude_client import ClaudePaths

Origin = Literal["local", "project", "user", "plugin", "settings"]
State = Literal["used", "shadowed", "pending", "rejected", "disabled", "dead", "left-out"]

_WAITING = {"pending", "rejected", "disabled"}


@dataclass(frozen=True, slots=True)
class RegisteredServer:
    """One server entry of a file of the client's.

    `name` is as the client calls it; `by` names what shadows it. `env` and `headers` may hold
    secrets.
    """

    name: str
    origin: Origin
    file: Path
    command: str = ""
    args: tuple[str, ...] = ()
    url: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    always_load: bool = False
    state: State = "used"
    by: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """Every entry of ours, in the client's precedence, and the files that cannot be understood."""

    entries: tuple[RegisteredServer, ...]
    problems: tuple[tuple[Path, str], ...]

    @property
    def used(self) -> tuple[RegisteredServer, ...]:
        """The entries that the client starts."""
        return tuple(entry for entry in self.entries if entry.state == "used")


class _Files:
    """The client's files, each read once; what cannot be understood is remembered."""

    def __init__(self) -> None:
        self.problems: list[tuple[Path, str]] = []
        self._read: dict[Path, dict[str, Any]] = {}

    def __getitem__(self, file: Path) -> dict[str, Any]:
        if file not in self._read:
            self._read[file] = {}
            try:
                self._read[file] = read_object(file)
            except UnreadableFile as reason:
                self.problems.append((file, str(reason)))
        return self._read[file]


def registered(places: ClaudePaths) -> Registration:
    """Read where servers of ours are registered for the client in a project; changes nothing."""
    files = _Files()
    own = _own(places, files)
    settings = {scope: files[path] for scope, path in places.settings.items()}
    rules = _Rules.read(own, settings, trusted=_is_trusted(places, files))
    entries: list[RegisteredServer] = []
    for origin, file, servers in _tables(places, files, own):
        found = [entry for entry in _ours(servers, origin, file) if not _has(entries, entry)]
        entries += [replace(entry, state=rules.state(entry)) for entry in found]
    entries = _with_shadows(entries)
    plugins = (_of_plugin(entry, rules, entries) for entry in _plugins(places, files))
    entries += plugins
    for scope, path in places.settings.items():
        for entry in _ours(table(settings[scope], "mcpServers"), "settings", path):
            entries.append(replace(entry, state="dead"))
    return Registration(tuple(entries), tuple(files.problems))


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the user and the project have allowed and refused."""

    allowed: frozenset[str]
    allows_all: bool
    refused: frozenset[str]
    disabled: frozenset[str]

    @classmethod
    def read(
        cls, own: Mapping[str, Any], settings: Mapping[Any, Mapping[str, Any]], *, trusted: bool
    ) -> _Rules:
        heard = [*settings.values(), own] if trusted else [settings["user"]]
        every = [*settings.values(), own]
        return cls(
            allowed=_names(heard, "enabledMcpjsonServers"),
            allows_all=any(one.get("enableAllProjectMcpServers") is True for one in heard),
            refused=_names(every, "disabledMcpjsonServers"),
            disabled=_names([own], "disabledMcpServers"),
        )

    def state(self, entry: RegisteredServer) -> State:
        if entry.origin == "project":
            if entry.name in self.refused:
                return "rejected"
            if not self.allows_all and entry.name not in self.allowed:
                return "pending"
        return "disabled" if entry.name in self.disabled else "used"


def _names(documents: Iterable[Mapping[str, Any]], key: str) -> frozenset[str]:
    return frozenset(name for document in documents for name in texts(document.get(key)))


def _own(places: ClaudePaths, files: _Files) -> dict[str, Any]:
    """What the client keeps of this project: by the repository's root, else by the folder."""
    root = next(
        (one for one in (places.project, *places.project.parents) if (one / ".git").exists()),
        places.project,
    )
    return table(files[places.client_file], "projects", str(root))


def _is_trusted(places: ClaudePaths, files: _Files) -> bool:
    projects = table(files[places.client_file], "projects")
    folders = (places.project, *places.project.parents)
    return any(table(projects, str(one)).get("hasTrustDialogAccepted") is True for one in folders)


def _tables(
    places: ClaudePaths, files: _Files, own: Mapping[str, Any]
) -> Iterator[tuple[Origin, Path, dict[str, Any]]]:
    """Walk through the tables of servers in order of precedence, the highest first."""
    yield "local", places.client_file, table(own, "mcpServers")
    for folder in (places.project, *places.project.parents):
        file = folder / places.project_file.name
        yield "project", file, table(files[file], "mcpServers")
    yield "user", places.client_file, table(files[places.client_file], "mcpServers")


def _ours(servers: Mapping[str, Any], origin: Origin, file: Path) -> Iterator[RegisteredServer]:
    for name, told in servers.items():
        if isinstance(told, dict) and _is_ours(name, told):
            yield RegisteredServer(
                name=name,
                origin=origin,
                file=file,
                command=_text(told.get("command")),
                args=tuple(texts(told.get("args"))),
                url=_text(told.get("url")),
                env=_strings(told.get("env")),
                headers=_strings(told.get("headers")),
                always_load=told.get("alwaysLoad") is True,
            )


def _is_ours(name: str, told: Mapping[str, Any]) -> bool:
    """Tell by the name, or by the program that it runs, plainly or by `python -m` and the like."""
    words = [_text(told.get("command")), *texts(told.get("args"))]
    programs = {re.split(r"[/\\]", word)[-1].removesuffix(".exe").lower() for word in words}
    return SERVER_NAME in name.lower() or SERVER_NAME in programs


def _has(entries: Iterable[RegisteredServer], other: RegisteredServer) -> bool:
    """Whether a nearer file of the same scope has that name already."""
    return any((one.name, one.origin) == (other.name, other.origin) for one in entries)


def _with_shadows(entries: list[RegisteredServer]) -> list[RegisteredServer]:
    """Let the first usable entry of each name be the one that is used."""
    first: dict[str, RegisteredServer] = {}
    shown = []
    for entry in entries:
        winner = first.get(entry.name)
        if winner is not None and entry.state not in _WAITING:
            shown.append(replace(entry, state="shadowed", by=winner.origin))
            continue
        if entry.state == "used":
            first[entry.name] = entry
        shown.append(entry)
    return shown


def _plugins(places: ClaudePaths, files: _Files) -> Iterator[RegisteredServer]:
    """Walk through the servers of the plugins that are installed and enabled."""
    for plugin in enabled_plugins(places, files.__getitem__):
        folder = str(plugin.folder)
        for file in _server_files(plugin.folder, files):
            for entry in _ours(table(files[file], "mcpServers"), "plugin", file):
                words = (word.replace("${CLAUDE_PLUGIN_ROOT}", folder) for word in entry.args)
                yield replace(
                    entry,
                    name=f"plugin:{plugin.name}:{entry.name}",
                    command=entry.command.replace("${CLAUDE_PLUGIN_ROOT}", folder),
                    args=tuple(words),
                )


def _server_files(folder: Path, files: _Files) -> Iterator[Path]:
    """The files of a plugin that may hold servers: its manifest may name another one."""
    manifest = folder / ".claude-plugin" / "plugin.json"
    yield manifest
    yield folder / (_text(files[manifest].get("mcpServers")) or ".mcp.json")


def _of_plugin(
    entry: RegisteredServer, rules: _Rules, entries: Iterable[RegisteredServer]
) -> RegisteredServer:
    """Leave out a plugin's server that runs what a registered one runs, as the client does."""
    for other in entries:
        runs = (other.command, other.args, other.url)
        if other.state == "used" and runs == (entry.command, entry.args, entry.url):
            return replace(entry, state="left-out", by=other.origin)
    return replace(entry, state="disabled") if entry.name in rules.disabled else entry


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: Any) -> dict[str, str]:
    return {key: one for key, one in table(value).items() if isinstance(one, str)}
