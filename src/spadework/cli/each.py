"""`spadework each`: one question about many files or texts, from the shell."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spadework
from spadework.cli.async_runner import run
from spadework.cli.console import print_table
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import (
    DEFAULT_TOOL,
    InProcess,
    JsonLines,
    MaxTokens,
    ModelOption,
    Private,
    ToolOption,
    read_schema,
)
from spadework.cli.screen import Screen
from spadework.engine.batch.table import checked_place, write_table
from spadework.errors import ArgumentError
from spadework.util.untrusted_text import display_path, printable_json

if TYPE_CHECKING:
    from spadework.engine.batch.table import BatchProgress, Row, Table

_MOST_FAILED = 10


def each(
    prompt: Annotated[str, typer.Argument(help="The question to ask about each item.")],
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", metavar="REF", help="A path, folder or glob: each file is an item."
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="FILE", help="One item per line; - reads standard input."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label", "-l", metavar="LABEL", help="Each answer is one of these. Repeatable."
        ),
    ] = None,
    schema: Annotated[
        str,
        typer.Option(
            metavar="FILE|JSON",
            help="Each answer is JSON that follows this JSON Schema.",
        ),
    ] = "",
    tool: ToolOption = DEFAULT_TOOL,
    model: ModelOption = "",
    max_tokens: MaxTokens = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write a table: .jsonl or .csv."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask again, even if an answer is cached.")
    ] = False,
    private: Private = False,
    in_process: InProcess = False,
    as_json: JsonLines = False,
) -> None:
    """Ask the same question about each of many files or texts, and print a table.

    Cached answers are reused, so a run that was stopped continues where it was. Exits with 1 if an
    item has no answer; the other answers are still printed.
    """
    place = None if out is None else checked_place(out.name, _folder(out))
    table = _ask(
        prompt,
        files=files or [],
        items=_lines(items),
        labels=labels or [],
        schema=read_schema(schema) if schema else None,
        tool=tool,
        model=model or None,
        max_tokens=max_tokens,
        fresh=fresh,
        private=private,
        daemon=False if in_process else None,
    )
    if place is not None:
        write_table(table, place)
    elif as_json:
        for row in table.rows:
            print(printable_json(asdict(row)))
    else:
        _print(table)
    _tell(table, out)
    if table.failed:
        raise typer.Exit(EXIT_FAILED)


def _ask(prompt: str, *, daemon: bool | None, **asked: Any) -> Table:
    """Ask; a terminal sees how far it is, and a log when a server is waited for."""
    screen = Screen(streams=False, shows_status=sys.stderr.isatty())
    waits = False

    def show(step: BatchProgress) -> None:
        nonlocal waits
        screen.status(str(step))
        if bool(step.away) != waits and not sys.stderr.isatty():
            print(step.away or f"continuing: {step}", file=sys.stderr, flush=True)
        waits = bool(step.away)

    async def ask() -> Table:
        async with spadework.Spadework(session="shell", daemon=daemon) as engine:
            return await engine.ask_each(prompt, on_step=show, **asked)

    try:
        return run(ask())
    finally:
        screen.leave()


def _folder(out: Path) -> Path:
    folder = out.absolute().parent
    if not folder.is_dir():
        raise ArgumentError(f"--out {out}: no such folder: {folder}", hint="create it first")
    return folder


def _lines(file: Path | None) -> list[str]:
    """Read the items, empty lines left out."""
    if file is None:
        return []
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8", errors="replace")
    except OSError as error:
        raise ArgumentError(f"--items {file}: {error.strerror}") from None
    return [line for line in text.splitlines() if line.strip()]


def _print(table: Table) -> None:
    rows = [[_item(row), _cell(row.answer), row.note] for row in table.rows]
    print_table(["item", "answer", ""], rows)


def _item(row: Row) -> str:
    return display_path(row.item) if row.reference else row.item


def _cell(answer: Any) -> str:
    if answer is None:
        return ""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return " ".join(text.split())


def _tell(table: Table, out: Path | None) -> None:
    """Report on standard error what failed, was skipped, or came from the cache."""
    for row in table.failed[:_MOST_FAILED]:
        typer.echo(f"failed: {_item(row)}: {row.error}", err=True)
    if len(table.failed) > _MOST_FAILED:
        typer.echo(f"failed: {len(table.failed) - _MOST_FAILED} more", err=True)
    for one in table.left_out:
        typer.echo(f"skipped: {display_path(one.path)}: {one.reason}", err=True)
    done = len(table.rows) - len(table.failed)
    known = f", {table.known} from the cache" if table.known else ""
    where = f"; written to {out}" if out else ""
    typer.echo(f"note: {done} of {len(table.rows)} answered{known}{where}", err=True)
