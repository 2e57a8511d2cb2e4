"""A table for a person at a terminal, plain columns for a pipe."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANKS = str.maketrans("\t\n", "  ")
_LAST_LEAST = 20
"""The last column gives way first, down to this width."""


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str] = ()
) -> None:
    """Print rows in columns; tab-separated, whole and without the header where no terminal reads.

    On a terminal a row is one line: where it is too long, the spare columns go one by one, in
    their order, and then the longest cells are cut.
    """
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(map(_cell, row)))
        return
    from rich.cells import cell_len  # noqa: PLC0415 - heavy

    width = shutil.get_terminal_size().columns
    columns = {
        name: [name, *(" ".join(_cell(row[index]).split()) for row in rows)]
        for index, name in enumerate(header)
    }
    needed = {name: max(map(cell_len, cells)) for name, cells in columns.items()}
    needed[header[-1]] = min(needed[header[-1]], _LAST_LEAST)
    for name in spare:
        if name in needed and sum(needed.values()) + len(needed) - 1 > width:
            del needed[name], columns[name]
    longest = [max(map(cell_len, cells)) for cells in columns.values()]
    widths = _narrowed(longest, width - len(longest) + 1)
    table = zip(*columns.values(), strict=True)
    for number, row in enumerate(table):
        line = " ".join(map(_fitted, row, widths)).rstrip()
        print(f"\x1b[1m{line}\x1b[0m" if number == 0 else line)


def _cell(text: str) -> str:
    """What servers and models say may hold tabs, line ends and terminal escapes."""
    return clean(text)[0].translate(_BLANKS)


def _narrowed(needed: Sequence[int], room: int) -> list[int]:
    """Take from the last column, then always from the widest, until all fit."""
    widths = list(needed)
    widths[-1] = max(min(widths[-1], _LAST_LEAST), widths[-1] - max(0, sum(widths) - room))
    while sum(widths) > max(room, len(widths)):
        widths[widths.index(max(widths))] -= 1
    return widths


def _fitted(cell: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - heavy

    if cell_len(cell) <= width:
        return set_cell_size(cell, width)
    return set_cell_size(cell, width - 1) + "…"
