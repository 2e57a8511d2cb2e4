"""Which folders are confidential: by the user's config, or by a project's own file."""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.config.model_patterns import matches
from spadework.config.project_file import KEYS, read_project_file, refuse_endless_keys
from spadework.errors import ConfigError
from spadework.util.paths import PROJECT_CONFIG_NAME
from spadework.util.untrusted_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.config.models import Config

_LONGEST_KEY = 40  # characters


@dataclass(frozen=True, slots=True)
class ConfidentialFolders:
    """Tells why a path is confidential. One for each call: it remembers what it looked at.

    Args:
        patterns: absolute paths of folders, in which `*` stands for any name.
    """

    patterns: Sequence[Path] = ()
    _known: dict[Path, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> ConfidentialFolders:
        """Take the rules of the user's config."""
        return cls(tuple(rule.path for rule in config.projects if rule.confidential))

    def reason(self, path: Path) -> str:
        """Say why a file or folder is confidential; empty if it is not.

        The folders above count too, by the path as it is given and by the real one.
        """
        real = path.resolve()
        absolute = path.absolute()
        ways = [real] if absolute == real else [real, absolute]
        for way in ways:
            for folder in (way, *way.parents):
                if folder not in self._known:
                    self._known[folder] = self._reason_of(folder)
                if why := self._known[folder]:
                    return why
        return ""

    def _reason_of(self, folder: Path) -> str:
        for pattern in self.patterns:
            if _means(pattern, folder):
                return f"{folder} is confidential by [[projects]] in the config"
        return _own_word(folder)


def _means(pattern: Path, folder: Path) -> bool:
    """Compare name by name; letter case does not matter, since some file systems ignore it."""
    for one in {pattern, _real_beginning(pattern)}:
        names, wanted = _folded(folder), _folded(one)
        pairs = zip(names, wanted, strict=False)
        if len(names) == len(wanted) and all(matches(name, [star]) for name, star in pairs):
            return True
    return False


def _real_beginning(pattern: Path) -> Path:
    """Resolve symlinks in what comes before the first star."""
    parts = pattern.parts
    fixed = next((place for place, part in enumerate(parts) if "*" in part), len(parts))
    return Path(*parts[:fixed]).resolve().joinpath(*parts[fixed:])


def _folded(path: Path) -> list[str]:
    return [unicodedata.normalize("NFC", part).casefold() for part in path.parts]


def _own_word(folder: Path) -> str:
    """Ask the folder's own file; one that cannot be understood may have said so."""
    file = folder / PROJECT_CONFIG_NAME
    try:
        content = read_project_file(file, folder)
        if content is None:
            return ""
        text = content.decode("utf-8-sig")
        refuse_endless_keys(text, file)
        document = tomllib.loads(text)
    except (ConfigError, ValueError, RecursionError):
        return f"{folder} counts as confidential: its {PROJECT_CONFIG_NAME} cannot be read"
    if unknown := next((key for key in document if key not in KEYS), None):
        key = one_line(unknown, _LONGEST_KEY)  # it may be a misspelled "confidential"
        return f"{folder} counts as confidential: its {PROJECT_CONFIG_NAME} has the key {key!r}"
    said = document.get("confidential", False)
    return f"{folder} is confidential by its {PROJECT_CONFIG_NAME}" if said is not False else ""
