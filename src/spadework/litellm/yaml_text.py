"""Values as YAML text, in lines or in one line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What every reader of YAML 1.1 and 1.2 takes for text without quotes.
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*(?::[\w./-]+)*", re.ASCII)
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
_OTHER_MEANING = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})

Comments = dict[tuple[str | int, ...], str]
"""Comments by the keys, and places in lists, that lead to the line that they stand behind."""


def mapping_lines(
    table: Mapping[str, Any], comments: Comments | None = None, above: tuple[str | int, ...] = ()
) -> Iterator[str]:
    """Yield the lines of a mapping, two spaces for each level."""
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield f"{scalar(key)}:"
            yield from (f"  {line}" for line in mapping_lines(value, comments, path))
        elif isinstance(value, list):
            yield f"{scalar(key)}:"
            yield from (f"  {line}" for line in item_lines(value, _inside(path, comments)))
        else:
            comment = (comments or {}).get(path, "")
            yield f"{scalar(key)}: {scalar(value)}" + (f"  # {comment}" if comment else "")


def item_lines(
    items: Sequence[Mapping[str, Any]], comments: Comments | None = None, dash: str = "- "
) -> Iterator[str]:
    """Yield the lines of a list of mappings; `dash` begins each of them.

    The comments' first key is the place of the mapping in the list.
    """
    for place, item in enumerate(items):
        inside = _inside((place,), comments)
        for number, line in enumerate(mapping_lines(item, inside)):
            yield (" " * len(dash) if number else dash) + line


def in_one_line(value: Any, *, quoted: bool) -> str:
    """Write a value in flow style; `quoted` as in JSON, with every text in quotes."""
    if isinstance(value, dict):
        pairs = (
            f"{in_one_line(key, quoted=quoted)}: {in_one_line(inner, quoted=quoted)}"
            for key, inner in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(in_one_line(inner, quoted=quoted) for inner in value) + "]"
    if isinstance(value, str) and (quoted or not _is_plain(value, _PLAIN_IN_FLOW)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def scalar(value: str | int) -> str:
    """Write one value: text stays text whatever it looks like."""
    if isinstance(value, int) or _is_plain(value, _PLAIN):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _is_plain(text: str, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.fullmatch(text)) and text.lower() not in _OTHER_MEANING


def _inside(path: tuple[str | int, ...], comments: Comments | None) -> Comments:
    """Return the comments of what lies below a path, by the rest of theirs."""
    return {
        keys[len(path) :]: text
        for keys, text in (comments or {}).items()
        if keys[: len(path)] == path
    }
