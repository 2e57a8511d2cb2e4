"""Changes one key of a frontmatter; every other byte stays, or the change is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from spadework.claude_code.agents.frontmatter import read_frontmatter
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.claude_code.agents.frontmatter import Frontmatter

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z][A-Za-z0-9._/\[\]-]*")


def set_key(file: str, key: str, value: str) -> str:
    """Set one key of a file's frontmatter.

    Args:
        file: the file's whole text, line ends and byte order mark as they are.
        key: the key.
        value: its new value, a text of one line.

    Returns:
        The text; it differs from `file` in that key's value only, or has that one line more. What
        the client reads differs in that key only.

    Raises:
        ArgumentError: it cannot be done for sure; says why in a line.
    """
    before = _readable(file)
    found = [entry for entry in before.entries if entry.key == key]
    if len(found) > 1:
        lines = " and ".join(str(entry.line) for entry in found)
        raise ArgumentError(f"`{key}` stands there more than once, on lines {lines}")
    if found and found[0].kind == "text" and found[0].text.strip() == value:
        return file
    span = found[0].span if found else None
    if found and span is None:
        raise ArgumentError(
            f"the value of `{key}` on line {found[0].line} is not one plain line",
            hint="write it as one line, without anchor, alias or tag, or change it by hand",
        )
    written = _in_place(file, span, value) if span else _inserted(file, before, key, value)
    for text in written:
        if _differs_only_in(before, file, text, key, value):
            return text
    raise ArgumentError(
        f"`{key}` cannot be set without changing more than that", hint="change it by hand"
    )


def _readable(file: str) -> Frontmatter:
    read = read_frontmatter(file)
    if read is None:
        raise ArgumentError(
            "it has no frontmatter", hint="it begins with a line `---` and ends with another"
        )
    if read.cut_line:
        raise ArgumentError(
            f"the frontmatter ends in the middle of line {read.cut_line}, where the client sees "
            "a `---`",
            hint="fix that line first",
        )
    if read.problem:
        raise ArgumentError(
            f"the frontmatter is not valid YAML: {read.problem}", hint="fix it first"
        )
    return read


def _in_place(file: str, span: tuple[int, int], value: str) -> Iterator[str]:
    start, end = span
    gap = " " if start == end else ""
    for scalar in _scalars(value, file[start:end][:1]):
        yield file[:start] + gap + scalar + file[end:]


def _inserted(file: str, read: Frontmatter, key: str, value: str) -> Iterator[str]:
    """Put a line to the end."""
    if read.is_flow or not read.entries:
        raise ArgumentError(
            f"no line to insert `{key}` after: the frontmatter is "
            + ("written as {…}" if read.is_flow else "empty")
        )
    line_end = "\r\n" if file[: read.end].endswith("\r\n") else "\n"
    for scalar in _scalars(value):
        line = f"{read.indent}{key}: {scalar}{line_end}"
        yield file[: read.end] + line + file[read.end :]


def _scalars(value: str, quote: str = "") -> Iterator[str]:
    """Write a value in the quotes that were there, else plain if it may be, else quoted."""
    if quote == "'" and "'" not in value:
        yield f"'{value}'"
    if quote not in {"'", '"'} and _NEEDS_NO_QUOTES.fullmatch(value):
        yield value
    yield json.dumps(value, ensure_ascii=False)


def _differs_only_in(before: Frontmatter, file: str, text: str, key: str, value: str) -> bool:
    """Read the text anew: every other key, its order, its style and the body must be the same."""
    after = read_frontmatter(text)
    if after is None or after.problem or after.cut_line or after.loose != before.loose:
        return False
    new = after.get(key)
    if new is None or new.kind != "text" or new.text != value:
        return False
    return text[after.body :] == file[before.body :] and _others(after, key) == _others(before, key)


def _others(read: Frontmatter, key: str) -> list[tuple[object, ...]]:
    return [
        (entry.key, entry.kind, entry.text, entry.items, entry.source)
        for entry in read.entries
        if entry.key != key
    ]
