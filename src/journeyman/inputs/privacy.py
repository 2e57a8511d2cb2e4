"""Which files are private: `references.private` of the config, and confidential folders."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.inputs.patterns import PatternList, pattern_list

if TYPE_CHECKING:
    from pathlib import Path

    from journeyman.config.confidential import ConfidentialFolders
    from journeyman.config.models import ReferencesConfig
    from journeyman.inputs.roots import Roots


@dataclass(frozen=True, slots=True)
class Privacy:
    """Tells which files are private.

    Args:
        patterns: those of `references.private`.
        roots: the folders that the patterns are seen from.
        confidential: folders in which everything is private.
    """

    patterns: PatternList
    roots: Roots
    confidential: ConfidentialFolders | None = None

    def covers(self, *paths: Path) -> bool:
        """Tell whether a file is private, by one of its absolute paths."""
        if is_private(self.patterns, self.roots, *paths):
            return True
        folders = self.confidential
        return folders is not None and any(map(folders.reason, paths))


def private_patterns(limits: ReferencesConfig) -> PatternList:
    """Compile the config's patterns."""
    return pattern_list(unicodedata.normalize("NFC", "\n".join(limits.private)), re.IGNORECASE)


def is_private(patterns: PatternList, roots: Roots, *paths: Path) -> bool:
    """Whether one of a file's absolute paths is named, seen from its root; any case counts."""
    below = [path.relative_to(root) for path in paths if (root := roots.root_of(path))]
    return any(patterns.covers(unicodedata.normalize("NFC", str(one))) for one in below)
