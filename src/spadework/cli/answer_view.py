"""Showing an answer as it comes: streamed to a terminal, plain when piped, JSON on request."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

import spadework
from spadework.checks.prompt_injection import is_warning
from spadework.cli.async_runner import run
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.screen import Screen
from spadework.errors import HandedBack
from spadework.mcp.tool_results import footer
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from spadework.engine.job import Answer, Progress


@dataclass(frozen=True, slots=True)
class Question:
    """What the command line asks; `daemon` is as `Spadework` takes it."""

    prompt: str
    tool: str
    model: str | None
    files: tuple[str, ...]
    arguments: Mapping[str, str]
    texts: Mapping[str, str]
    roots: tuple[Path, ...]
    max_tokens: int | None
    batch: bool = False
    private: bool = False
    daemon: bool | None = None
    labels: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None


def print_text(question: Question) -> None:
    """Print the answer; a terminal sees it grow, and its figures on standard error.

    If standard error is not a terminal, it gets only the notes.

    Raises:
        HandedBack: no model gave an answer that passes the checks.
        SpadeworkError: whatever else the engine raises.
    """
    screen = Screen(streams=sys.stdout.isatty(), shows_status=sys.stderr.isatty())
    try:
        answer = run(_ask(question, screen.progress, screen.text))
    finally:
        screen.leave()
    screen.show(answer.text)
    if screen.shows_status:
        for note in filter(is_warning, answer.notes):
            typer.echo(f"warning: {note}", err=True)
        typer.echo(typer.style(footer(answer), dim=True), err=True)
        return
    for note in (*answer.notes, *(attempt.as_note for attempt in answer.tries)):
        typer.echo(f"note: {note}", err=True)


def print_json(question: Question) -> None:
    """Print everything there is to know, a hand-back too, as one JSON object."""
    try:
        answer = run(_ask(question))
    except HandedBack as error:
        handed_back = {"outcome": "handed-back", "tries": error.tries, "hint": error.hint}
        _write(handed_back)
        raise typer.Exit(EXIT_FAILED) from None
    _write({"outcome": "answered"} | asdict(answer))


def _write(told: dict[str, Any]) -> None:
    # At once: a reader that leaves between two writes would make typer's exit code, not ours.
    sys.stdout.write(printable_json(told, 2) + "\n")


async def _ask(
    question: Question,
    on_progress: Callable[[Progress], None] | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    async with spadework.Spadework(
        roots=question.roots, session="shell", daemon=question.daemon
    ) as engine:
        return await engine.ask(
            question.prompt,
            files=question.files,
            texts=question.texts,
            tool=question.tool,
            arguments=question.arguments,
            model=question.model,
            max_tokens=question.max_tokens,
            batch=question.batch,
            private=question.private,
            labels=question.labels,
            schema=question.schema,
            on_progress=on_progress,
            on_text=on_text,
        )
