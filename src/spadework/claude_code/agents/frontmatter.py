"""The frontmatter of an agent file or a skill, found and read as Claude Code 2.1.330 does it.

The first `---` ends it for the client, wherever it is. If it is not YAML, the client tries once
more with each top value in quotes, so that `description: Use it: now` is read all the same.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "list", "empty", "other"]

# What JavaScript's \s means.
_SPACE = r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_BLOCK = re.compile(rf"---{_SPACE}*\n([\s\S]*?)---{_SPACE}*\n?")
_CLOSING_LINE = re.compile(r"---[ \t]*(?:\r?\n|\Z)")
_NEEDS_QUOTES = re.compile(r"[{}\[\]*&#!|>%@`]|: ")
_BOM = "\ufeff"
_KEY_AND_VALUE = re.compile(r"([a-zA-Z_-]+):([\t ]+)(\S[^\r\n\u2028\u2029]*)\Z")
"""A line of one key and its value, as the client finds it on its second try."""
_NO_TEXT = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|0x[0-9a-fA-F]+|0o[0-7]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|"
)
# What the client's reader takes and ours does not, each exchanged for as many harmless characters.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
_TABS_AT_THE_END = re.compile(r"(?<![ \t])(?= *+\t)[ \t]++(?=\r?\n|\Z)")

_LONGEST = 128 * 1024
"""Characters; a frontmatter is a page at most, and reading one takes time by its length."""


class _UnreadableYaml(Exception):
    """The text is not YAML that can be used here; `line` counts from 0, None if unknown."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(" ".join(message.split()))
        self.line = line


@dataclass(frozen=True, slots=True)
class FrontmatterKey:
    """One key of the frontmatter.

    `line` counts from 1 in the file. `text` is the value of a text, `items` the texts of a list;
    `span` is the value's position in the file's text, None if it is not one plain or quoted line.
    `source` is the key with its value as it is written.
    """

    key: str
    line: int
    kind: Kind
    text: str
    items: tuple[str, ...]
    span: tuple[int, int] | None
    source: str


@dataclass(frozen=True, slots=True)
class Frontmatter:
    """A file's frontmatter: its text is `file[start:end]`, the body is `file[body:]`.

    `problem` says why it is not a YAML mapping. `loose`: only the client's second try reads it.
    `cut_line` is the line in whose middle the client sees its end, 0 where it ends as meant.
    `is_flow`: it is written as `{…}`. `indent` is what is before its first key.
    """

    start: int
    end: int
    body: int
    entries: tuple[FrontmatterKey, ...]
    problem: str
    loose: bool
    cut_line: int
    is_flow: bool
    indent: str

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
        root = _compose(block)
        entries = _keys(root, block, block, start, first_line)
    except _UnreadableYaml as strict:
        try:
            quoted = _quoted(block)
            root = _compose(quoted)
            entries = _keys(root, quoted, block, start, first_line)
            loose = True
        except _UnreadableYaml:
            root, entries = None, ()
            told = f" (line {first_line + strict.line})" if strict.line is not None else ""
            problem = f"{strict}{told}"
    is_flow = bool(getattr(root, "flow_style", False))
    indent = " " * root.value[0][0].start_mark.column if entries and root and not loose else ""
    return Frontmatter(start, end, found.end(), entries, problem, loose, cut_line, is_flow, indent)


def _quoted(block: str) -> str:
    """Put each top value that may be the trouble into quotes, line by line, as the client does."""
    lines = []
    for line in block.split("\n"):
        match = _KEY_AND_VALUE.match(line)
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
        _compose(value)
    except _UnreadableYaml:
        return False
    return True


def _compose(text: str) -> Any:
    """Read a YAML text of one mapping, or of nothing, into ruamel's nodes; no alias is expanded.

    Raises:
        _UnreadableYaml: it is not that, is too long or nested too deep.
    """
    from ruamel import yaml  # noqa: PLC0415 - 60 ms that `spadework agents --help` saves

    if len(text) > _LONGEST:
        raise _UnreadableYaml(f"it is over {_LONGEST} characters long")
    if "\x00" in text:
        raise _UnreadableYaml("it holds a NUL", text.count("\n", 0, text.index("\x00")))
    harmless = _TABS_AT_THE_END.sub(lambda found: " " * len(found[0]), text)
    try:
        with warnings.catch_warnings(action="ignore"):  # an anchor that is there twice
            return yaml.YAML(typ="safe", pure=True).compose(_CONTROL.sub("\ufffd", harmless))
    except yaml.error.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "bad text"
        raise _UnreadableYaml(str(problem), mark.line if mark else None) from None
    except RecursionError:
        raise _UnreadableYaml("it is nested too deep") from None
    except (ValueError, IndexError, AttributeError, TypeError, AssertionError):
        # The scanner stumbles over some broken escapes and directives.
        raise _UnreadableYaml("the YAML is broken") from None


def _keys(
    root: Any, text: str, original: str, start: int, first_line: int
) -> tuple[FrontmatterKey, ...]:
    """Take the keys of a block; `text` has the same lines as `original`, which is in the file."""
    if root is None or (root.id == "scalar" and not root.value and not root.style):
        return ()
    if root.id != "mapping":
        raise _UnreadableYaml("it is not a mapping")
    starts = [key.start_mark.index for key, _ in root.value]
    sources = [text[one:end] for one, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    entries = []
    for (key, value), place, source in zip(root.value, starts, sources, strict=True):
        number = text.count("\n", 0, place)
        span = _span(key, value, text) if text is original else _loose_span(original, number)
        kind, words, items = _meaning(value)
        entries.append(
            FrontmatterKey(
                key=key.value if key.id == "scalar" else "",
                line=first_line + number,
                kind=kind,
                text=words,
                items=items,
                span=(start + span[0], start + span[1]) if span else None,
                source=source.rstrip(),
            )
        )
    return tuple(entries)


def _meaning(value: Any) -> tuple[Kind, str, tuple[str, ...]]:
    if value.id == "sequence":
        return "list", "", tuple(str(one.value) for one in value.value if one.id == "scalar")
    if value.id == "mapping":
        return "other", "", ()
    words = str(value.value)
    if value.style or str(value.tag).endswith(":str") or not _NO_TEXT.fullmatch(words):
        return "text", words, ()
    return ("other", words, ()) if words else ("empty", "", ())


def _span(key: Any, value: Any, text: str) -> tuple[int, int] | None:
    """Where the value can be exchanged: a scalar of one line with no anchor, alias or tag."""
    start, end = value.start_mark.index, value.end_mark.index
    if key.id != "scalar" or value.id != "scalar" or start < key.end_mark.index:
        return None
    if start == end:  # nothing is there: right behind the colon
        colon = text.find(":", key.end_mark.index, end + 1)
        return (colon + 1, colon + 1) if colon >= 0 else None
    written = text[start:end]
    return None if written[0] in "&*!|>" or "\n" in written else (start, end)


def _loose_span(block: str, number: int) -> tuple[int, int] | None:
    """Find the value on a line that only the client's second try reads."""
    lines = block.split("\n")
    found = _KEY_AND_VALUE.match(lines[number])
    if found is None:
        return None
    line_start = sum(len(line) + 1 for line in lines[:number])
    return line_start + found.start(3), line_start + len(lines[number].rstrip())
