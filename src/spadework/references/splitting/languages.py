"""Which text is prose, and which is code in a language whose grammar the extra `code` brings."""

from __future__ import annotations

import importlib.util
from pathlib import PurePath

EXTRA = "code"
PROSE = frozenset(
    {".adoc", ".htm", ".html", ".markdown", ".md", ".mdx", ".org", ".rst", ".tex", ".txt"}
)
PROSE_NAMES = frozenset({"authors", "changelog", "contributing", "license", "notice", "readme"})
GRAMMARS = {
    ".bash": "bash",
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cs": "csharp",
    ".css": "css",
    ".cxx": "cpp",
    ".dart": "dart",
    ".ex": "elixir",
    ".exs": "elixir",
    ".go": "go",
    ".h": "cpp",
    ".hpp": "cpp",
    ".hs": "haskell",
    ".java": "java",
    ".jl": "julia",
    ".js": "javascript",
    ".jsx": "javascript",
    ".kt": "kotlin",
    ".lua": "lua",
    ".mjs": "javascript",
    ".php": "php",
    ".pl": "perl",
    ".proto": "proto",
    ".py": "python",
    ".pyi": "python",
    ".r": "r",
    ".rb": "ruby",
    ".rs": "rust",
    ".scala": "scala",
    ".sh": "bash",
    ".sql": "sql",
    ".swift": "swift",
    ".tf": "terraform",
    ".ts": "typescript",
    ".tsx": "tsx",
    ".zig": "zig",
}


def is_prose(path: str) -> bool:
    """Whether a file of this name holds prose."""
    name = PurePath(path.lower())
    return name.suffix in PROSE or name.name in PROSE_NAMES


def grammar_of(path: str) -> str | None:
    """The grammar of a file by its suffix, if it is known and installed."""
    name = GRAMMARS.get(PurePath(path).suffix.lower())
    installed = name and importlib.util.find_spec("tree_sitter_language_pack")
    return name if installed else None
