"""The plugins that Claude Code has installed. Measured on version 2.1.330."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.json_files import UnreadableFile, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spadework.claude_code.claude_client import ClaudePaths

    Reader = Callable[[Path], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Plugin:
    """One installed plugin: `id` is `name@marketplace`, `folder` where the client reads it."""

    id: str
    folder: Path

    @property
    def name(self) -> str:
        """The name that its agents and servers carry."""
        return self.id.partition("@")[0]

    @property
    def agent_places(self) -> list[Path]:
        """The folders and files of its agents: `agents/`, and what its manifest names."""
        manifest = read_json(self.folder / ".claude-plugin" / "plugin.json")
        named = manifest.get("agents", [])
        paths = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        places = [self.folder / one for one in ("agents", *paths) if isinstance(one, str)]
        inside = self.folder.resolve()
        return list(
            dict.fromkeys(one.resolve() for one in places if one.resolve().is_relative_to(inside))
        )

    @property
    def skills(self) -> Path:
        """The folder of its skills."""
        return self.folder / "skills"


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of the client's; empty where it is not there or holds no JSON object."""
    with suppress(UnreadableFile):
        return read_object(path)
    return {}


def enabled_plugins(places: ClaudePaths, read: Reader = read_json) -> list[Plugin]:
    """Find the plugins that are installed for this user or project and switched on, by name.

    Args:
        places: the client's files.
        read: reads one of them.
    """
    switched: dict[str, Any] = {}
    for scope in ("user", "project", "local"):
        told = read(places.settings[scope]).get("enabledPlugins")
        switched |= told if isinstance(told, dict) else {}
    return [
        Plugin(identity, folder)
        for identity, folder in sorted(_installed(places, read))
        if switched.get(identity) and folder.is_dir()
    ]


def _installed(places: ClaudePaths, read: Reader) -> Iterator[tuple[str, Path]]:
    installed = read(places.plugins / "installed_plugins.json").get("plugins")
    markets = read(places.plugins / "known_marketplaces.json")
    for identity, entries in installed.items() if isinstance(installed, dict) else ():
        for entry in entries if isinstance(entries, list) else [entries]:  # version 1: no list
            if isinstance(entry, dict) and _is_for(places, entry):
                copy = entry.get("installPath")
                folder = _live_folder(identity, markets, read) or (copy and Path(copy))
                if folder:
                    yield identity, folder
                    break


def _is_for(places: ClaudePaths, entry: dict[str, Any]) -> bool:
    project = entry.get("projectPath")
    if not isinstance(project, str):
        return True
    return places.project.resolve().is_relative_to(Path(project).resolve())


def _live_folder(identity: str, markets: dict[str, Any], read: Reader) -> Path | None:
    """A plugin of a marketplace that is a folder is read there, not from the copy."""
    name, _, market = identity.partition("@")
    known = markets.get(market)
    source = known.get("source") if isinstance(known, dict) else None
    if not isinstance(source, dict) or source.get("source") != "directory":
        return None
    root = Path(str(source.get("path")))
    listed = read(root / ".claude-plugin" / "marketplace.json").get("plugins")
    for plugin in listed if isinstance(listed, list) else ():
        if isinstance(plugin, dict) and plugin.get("name") == name:
            where = plugin.get("source")
            return root / where if isinstance(where, str) and (root / where).is_dir() else None
    return None
