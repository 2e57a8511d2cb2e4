"""The schema of `ask_each` that Claude reads: every byte costs tokens in every session."""

from __future__ import annotations

from typing import Any

ASK_EACH = "ask_each"
DEFAULT_TOOL = "ask_local_llama"

_STRINGS = {"type": "array", "items": {"type": "string"}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "description": "The question, the same for each."},
        "files": {**_STRINGS, "description": "Paths, folders, globs: each file is an item."},
        "items": {**_STRINGS, "description": "Or texts: each is an item."},
        "labels": {**_STRINGS, "description": "Each answer is one of these."},
        "schema": {"type": "object", "description": "Each answer is JSON of this schema."},
        "tool": {"type": "string", "description": f"Whose models answer; {DEFAULT_TOOL} if none."},
        "save_to": {"type": "string", "description": "A .jsonl or .csv in the project."},
        "max_tokens": {"type": "integer", "minimum": 1},
    },
    "required": ["prompt"],
    "additionalProperties": False,
}
DESCRIPTION = (
    "Ask a local model the same question about each of many files or texts, in parallel: "
    "classify, extract, summarize one by one. Returns a table; a long one goes to a file in the "
    "project, and you get its path, the counts and what failed. The same call again asks only what "
    "is missing or changed."
)
EXAMPLE = {"prompt": "Which queue?", "files": ["tickets/*.md"], "labels": ["billing", "bug"]}
