"""Which files are private: `references.private` of the config."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from journeyman.inputs.patterns import PatternList, pattern_list

if TYPE_CHECKING:
    from pathlib import Path

    from journeyman.config.models import ReferencesConfig
    from journeyman.inputs.roots import Roots


def private_patterns(limits: ReferencesConfig) -> PatternList:
    """Compile the config's patterns."""
    return pattern_list(unicodedata.normalize("NFC", "\n".join(limits.private)), re.IGNORECASE)


def is_private(patterns: PatternList, roots: Roots, *paths: Path) -> bool:
    """Whether one of a file's absolute paths is named, seen from its root; any case counts."""
    below = [path.relative_to(root) for path in paths if (root := roots.root_of(path))]
    return any(patterns.covers(unicodedata.normalize("NFC", str(one))) for one in below)
