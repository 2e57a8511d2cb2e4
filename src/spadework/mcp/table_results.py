"""Renders a table for Claude: short, whatever the table's length."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.checks.prompt_injection import is_warning
from spadework.mcp.tool_results import FIGURES_KEY, text_result
from spadework.util.untrusted_text import display_name, display_path, quote_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_types import CallToolResult

    from spadework.engine.batch.table import Row, Table

_SCREEN_ROWS = 40
_SCREEN_CHARACTERS = 4000
_FIRST_ROWS = 5
_MOST_FAILED = 5
_MOST_OF_A_REASON = 3
_MOST_UNSURE = 10
_LONGEST_CELL = 200
_LONGEST_LABEL = 40
_MOST_KINDS = 20
_REMOTE_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a table lies: `file` is relative to the project, empty for nowhere.

    `shares_disk` tells whether the client could read a file of ours at all.
    """

    file: str
    shares_disk: bool = True


def fits_a_screen(table: Table) -> bool:
    """Tell whether the table is short enough to be shown whole."""
    if len(table.failed) == len(table.rows):
        return True  # there is nothing in it
    if len(table.rows) > _SCREEN_ROWS:
        return False
    return sum(len(_line(row)) for row in table.rows) <= _SCREEN_CHARACTERS


def table_result(table: Table, shown: Shown) -> CallToolResult:
    """Turn a table into text: counts, rows as far as they fit, what failed, where the rest is.

    It is an error if no item has an answer.
    """
    none_done = len(table.failed) == len(table.rows)
    lines = [_summary(table), *_marked(table), *_labels(table)]
    if none_done:
        lines += _failures(table)
    elif shown.file:
        lines.append(f"The whole table: {shown.file}")
        lines += ["First rows:", *map(_short, table.rows[:_FIRST_ROWS])]
        lines += _failures(table)
        lines += _unsure(table)
    elif shown.shares_disk:
        lines += map(_line, table.rows)
    else:
        lines += _as_many_as_fit(table)
    lines += _left_out(table)
    figures: dict[str, Any] = {
        "seconds": table.seconds,
        "items": len(table.rows),
        "failed": len(table.failed),
        "known": table.known,
        "bytes_read": table.bytes_read,
        "models": list(table.models),
    }
    return text_result(["\n".join(lines)], {FIGURES_KEY: figures}, is_error=none_done)


def _summary(table: Table) -> str:
    count, failed = len(table.rows), len(table.failed)
    if failed == count:
        head = f"Not done: none of {count} items has an answer; do this yourself"
    else:
        head = f"{count - failed} of {count} answered"
        head += f", {failed} failed" if failed else ""
        head += f", {len(table.unsure)} unsure" if table.unsure else ""
        head += f", {table.known} known from before" if table.known else ""
    parts = [head, ", ".join(map(display_name, table.models)), f"{table.seconds:.0f} s"]
    return "; ".join(part for part in parts if part)


def _labels(table: Table) -> Iterator[str]:
    """Count the answers where there are few different ones: that is what labels are for."""
    answers = [row.answer for row in table.rows if not row.failed]
    if not answers or not all(
        isinstance(one, str) and len(one) <= _LONGEST_CELL for one in answers
    ):
        return
    counts = Counter(" ".join(one.split()) for one in answers)
    if len(counts) <= min(_MOST_KINDS, len(answers) // 2):
        yield "Counts: " + ", ".join(
            f"{_count_name(name)} {count}" for name, count in counts.most_common()
        )


def _count_name(answer: str) -> str:
    """An answer as it is counted: quoted where it is more than a few words, for it is foreign."""
    is_plain = all(sign.isalnum() or sign in " _-." for sign in answer)
    return answer if is_plain and len(answer) <= _LONGEST_LABEL else quote_foreign(answer)


def _marked(table: Table) -> Iterator[str]:
    """Name the items whose answers speak to the reader; the warning stands before any of them."""
    lines = [f"{_item(row)}: {row.note}" for row in table.rows if is_warning(row.note)]
    yield from _some("Careful:", lines, _MOST_FAILED)


def _failures(table: Table) -> Iterator[str]:
    """Say each reason once, with the items that it stands for."""
    reasons: dict[str, list[str]] = {}
    for row in table.failed:
        reasons.setdefault(row.error, []).append(_item(row))
    lines = [f"{', '.join(_few(items))}: {reason}" for reason, items in reasons.items()]
    yield from _some("Failed:", lines, _MOST_FAILED)


def _few(items: list[str]) -> list[str]:
    more = len(items) - _MOST_OF_A_REASON
    return [*items[:_MOST_OF_A_REASON], *([f"{more} more"] if more > 0 else [])]


def _unsure(table: Table) -> Iterator[str]:
    yield from _some("Unsure:", [_item(row) for row in table.unsure], _MOST_UNSURE)


def _left_out(table: Table) -> Iterator[str]:
    out = [f"{display_path(one.path)} ({one.reason})" for one in table.left_out]
    yield from _some("Never read:", out, _MOST_FAILED)


def _some(title: str, lines: list[str], most: int) -> Iterator[str]:
    if not lines:
        return
    yield title
    yield from (_cut(line) for line in lines[:most])
    if len(lines) > most:
        yield f"… and {len(lines) - most} more"


def _as_many_as_fit(table: Table) -> Iterator[str]:
    room = _REMOTE_CHARACTERS
    for number, row in enumerate(table.rows):
        line = _line(row)
        room -= len(line)
        if room < 0:
            left = len(table.rows) - number
            yield f"… {left} more rows are not shown: ask about fewer at a time"
            return
        yield line


def _line(row: Row) -> str:
    """A row in one line: the item, its answer, and what an unsure one might be."""
    parts = [_item(row), _cell(row), f"[{row.note}]" if is_warning(row.note) else row.note]
    return "\t".join(part for part in parts if part)


def _item(row: Row) -> str:
    """A file's name is quoted where it is more than a word; a text's beginning is the caller's."""
    return display_path(row.item) if row.reference else row.item


def _short(row: Row) -> str:
    return _cut(_line(row))


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_CELL else line[: _LONGEST_CELL - 1] + "…"


def _cell(row: Row) -> str:
    if row.failed:
        return f"failed: {row.error}"
    if isinstance(row.answer, str):
        return " ".join(row.answer.split())
    return json.dumps(row.answer, ensure_ascii=False, separators=(",", ":"))
