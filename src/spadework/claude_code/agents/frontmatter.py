"""The frontmatter of an agent file or a skill, found and read as Claude Code 2.1.330 does it.

The first `---` ends it for the client, wherever it is. If it is not YAML, the client tries once
more with each top value in quotes, so that `description: Use it: now` is read all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from spadework.claude_code.agents.frontmatter_keys import KEY_AND_VALUE, FrontmatterKey, read_keys
from spadework.claude_code.agents.yaml_events import UnreadableYaml, events_of

# What JavaScript's \s means.
_SPACE = r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_BLOCK = re.compile(rf"---{_SPACE}*\n([\s\S]*?)---{_SPACE}*\n?")
_CLOSING_LINE = re.compile(r"---[ \t]*(?:\r?\n|\Z)")
_NEEDS_QUOTES = re.compile(r"[{}\[\]*&#!|>%@`]|: ")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Frontmatter:
    """A file's frontmatter: its text is `file[start:end]`, the body is `file[body:]`.

    `problem` says why it is not a YAML mapping. `loose`: only the client's second try reads it.
    `cut_line` is the line in whose middle the client sees its end, 0 where it ends as meant.
    `is_flow`: it is written as `{…}`.
    """

    start: int
    end: int
    body: int
    entries: tuple[FrontmatterKey, ...]
    problem: str
    loose: bool
    cut_line: int
    is_flow: bool

    def get(self, key: str) -> FrontmatterKey | None:
        """Find a key; of several the last, as the client does."""
        return next((entry for entry in reversed(self.entries) if entry.key == key), None)


def read_frontmatter(file: str) -> Frontmatter | None:
    """Read the frontmatter of a file's text; None where the client sees none."""
    offset = len(_BOM) if file.startswith(_BOM) else 0
    if file.find("---", offset + 3) < 0 or not (found := _BLOCK.match(file, offset)):
        return None
    start, end = found.span(1)
    clean = file[end - 1] == "\n" if end > offset + 3 else False
    closes = clean and _CLOSING_LINE.match(file, end) is not None
    cut_line = 0 if closes else file.count("\n", 0, end) + 1
    block, first_line = file[start:end], file.count("\n", 0, start) + 1
    loose, problem, told = False, "", ""
    try:
        entries, is_flow = read_keys(block, block, start, first_line)
    except UnreadableYaml as strict:
        try:
            entries, is_flow = read_keys(_quoted(block), block, start, first_line)
            loose = True
        except UnreadableYaml:
            entries, is_flow = (), False
            told = f" (line {first_line + strict.line})" if strict.line is not None else ""
            problem = f"{strict}{told}"
    return Frontmatter(start, end, found.end(), entries, problem, loose, cut_line, is_flow)


def _quoted(block: str) -> str:
    """Put each top value that may be the trouble into quotes, line by line, as the client does."""
    lines = []
    for line in block.split("\n"):
        match = KEY_AND_VALUE.match(line)
        if not match:
            lines.append(re.sub(r"^\t+", lambda tabs: "  " * len(tabs[0]), line))
            continue
        key, gap, value = match.groups()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        if is_quoted or not _NEEDS_QUOTES.search(value) or _is_list(value):
            lines.append(f"{key}:{' ' * len(gap)}{value}")
        else:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{key}:{" " * len(gap)}"{escaped}"')
    return "\n".join(lines)


def _is_list(value: str) -> bool:
    if not (value.startswith("[") and value.endswith("]")):
        return False
    try:
        events_of(value)
    except UnreadableYaml:
        return False
    return True
