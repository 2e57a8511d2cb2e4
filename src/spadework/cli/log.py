"""`spadework log`: the ledger."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.console import local_time, print_table
from spadework.cli.options import JsonLines, complete_tools
from spadework.config.loader import load_config
from spadework.errors import ArgumentError
from spadework.util.untrusted_text import display_name, printable_json

if TYPE_CHECKING:
    from spadework.storage.ledger import LedgerEntry


class LoggedOutcome(StrEnum):
    """How a delegation ended, as the ledger records it."""

    ANSWERED = "answered"
    HANDED_BACK = "handed-back"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def log(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="Show at most N entries.")
    ] = 20,
    tool: Annotated[
        str, typer.Option(metavar="TOOL", help="Only this tool.", autocompletion=complete_tools)
    ] = "",
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Only this model; * is a wildcard.")
    ] = "",
    outcome: Annotated[
        LoggedOutcome | None, typer.Option(help="Only delegations that ended like this.")
    ] = None,
    session: Annotated[str, typer.Option(metavar="NAME", help="Only this session.")] = "",
    run: Annotated[
        str, typer.Option("--run", metavar="ID", help="Only this run of a pipeline.")
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only since then: 30m, 2h, 7d or 2026-11-23.")
    ] = "",
    as_json: JsonLines = False,
) -> None:
    """Show what was delegated, newest first.

    On a narrow terminal columns are left out and long cells are cut (…). In a pipe: tab-separated,
    uncut, no header: when, tool, model, outcome, tokens in, tokens out, seconds to the first token,
    seconds, bytes read, why, run, cost in USD.
    """
    entries = _read(
        tool=tool,
        model=model,
        outcome=outcome.value if outcome else "",
        session=session,
        since=_moment(since),
        limit=limit,
        run=run,
    )
    if as_json:
        for entry in entries:
            print(printable_json(asdict(entry)))
        return

    header = ["when", "tool", "model", "outcome", "in", "out", "first", "seconds", "read", "why"]
    header += ["run", "usd"]
    when = "%m-%d %H:%M" if sys.stdout.isatty() else "%Y-%m-%d %H:%M:%S"
    rows = [_row(entry, when) for entry in entries]
    if sys.stdout.isatty():
        header, rows = _without_empty(header, rows, ("run", "usd"))
    print_table(header, rows, spare=["run", "first", "read", "in", "out", "seconds"])


def _read(**chosen: Any) -> list[LedgerEntry]:
    """Read the entries that a `Filter` chooses."""
    from spadework.storage.ledger import Filter, Ledger, ledger_path  # noqa: PLC0415 - sqlite3

    path = ledger_path(load_config().config)
    if not path.exists():
        return []
    ledger = Ledger(path)
    try:
        return list(ledger.entries(Filter(**chosen)))
    finally:
        ledger.close()


def _row(entry: LedgerEntry, when: str) -> list[str]:
    first = entry.first_token_seconds
    return [
        local_time(entry.at, when),
        entry.tool,
        display_name(entry.model) if entry.model else "",
        entry.outcome,
        _number(entry.prompt_tokens),
        _number(entry.completion_tokens),
        f"{first:.2f}" if first is not None else "",
        f"{entry.seconds:.2f}",
        _number(entry.bytes_read),
        entry.error or " | ".join(entry.tries),
        entry.run,
        "" if entry.cost_usd is None else f"{entry.cost_usd:.6f}",
    ]


def _without_empty(
    header: list[str], rows: list[list[str]], names: tuple[str, ...]
) -> tuple[list[str], list[list[str]]]:
    """Leave out these columns where they say nothing: who uses no pipeline sees none of it."""
    kept = [
        place
        for place, name in enumerate(header)
        if name not in names or any(row[place] for row in rows)
    ]
    return [header[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _moment(text: str) -> float:
    """Turn `2h` or a date into seconds since the epoch."""
    if not text:
        return 0.0
    now = datetime.now().astimezone()
    if text[-1] in _UNITS and text[:-1].isdecimal():
        return now.timestamp() - int(text[:-1]) * _UNITS[text[-1]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        raise ArgumentError(
            f"--since {text!r} is not a valid time", hint="such as 30m, 2h, 7d, 2w or 2026-11-23"
        ) from None
