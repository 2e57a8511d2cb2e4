"""Output for the person: notes on standard error, questions, and tables."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from spadework.cli.exit_codes import EXIT_FAILED
from spadework.errors import ArgumentError
from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANKS = str.maketrans("\t\n", "  ")
_LAST_LEAST = 20
"""The last column gives way first, down to this width."""


def say(text: str) -> None:
    """Write a line to standard error; standard output is for what a program may read."""
    print(text, file=sys.stderr)


def count(number: int, thing: str) -> str:
    """Say how many there are of a thing."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """Write a time span with its two largest units: 50 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def local_time(seconds: float, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write seconds since the epoch as local time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime(pattern)


def confirm(question: str) -> None:
    """Ask for a yes or a no; exit with 1 on a no.

    Raises:
        ArgumentError: standard input is not a terminal.
    """
    if not agrees(question):
        raise typer.Exit(EXIT_FAILED)


def agrees(question: str) -> bool:
    """Ask for a yes or a no; Enter alone means yes.

    Raises:
        ArgumentError: standard input is not a terminal.
    """
    check_can_ask()
    return typer.confirm(question, default=True, err=True)


def check_can_ask() -> None:
    """Make sure that a question can be asked.

    Raises:
        ArgumentError: standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise ArgumentError(
            "stdin is not a terminal: pass --yes",
            hint="--dry-run shows the changes and writes none",
        )


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str] = ()
) -> None:
    """Print rows in aligned columns on a terminal; tab-separated, complete, headerless in a pipe.

    On a terminal a row is one line: where it is too long, the spare columns are left out one by
    one, in their order, and then the longest cells are cut.
    """
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(map(_cell, row)))
        return
    from rich.cells import cell_len, set_cell_size

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
        line = " ".join(
            set_cell_size(cell, size)
            if cell_len(cell) <= size
            else set_cell_size(cell, size - 1) + "…"
            for cell, size in zip(row, widths, strict=True)
        ).rstrip()
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
