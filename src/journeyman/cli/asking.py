"""Showing an answer as it comes: streamed to a terminal, plain when piped, JSON on request."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from journeyman.cli import EXIT_FAILED, EXIT_TERMINATED
from journeyman.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from journeyman.engine.values import Answer, Progress


@dataclass(frozen=True, slots=True)
class Question:
    """What the command line asks."""

    prompt: str
    tool: str
    model: str | None
    files: tuple[str, ...]
    arguments: Mapping[str, str]
    texts: Mapping[str, str]
    roots: tuple[Path, ...]
    max_tokens: int | None


def print_text(question: Question) -> None:
    """Print the answer; a terminal sees it grow, and its figures on standard error.

    Where standard error is no terminal, it gets the notes alone.

    Raises:
        HandedBack: no model gave an answer that passes the checks.
        JourneymanError: whatever else the engine raises.
    """
    screen = Screen(streams=sys.stdout.isatty(), shows_status=sys.stderr.isatty())
    try:
        answer = _run(_ask(question, screen.progress, screen.text))
    finally:
        screen.leave()
    screen.show(answer.text)
    if screen.shows_status:
        from journeyman.server.results import footer  # noqa: PLC0415 - beside its use

        typer.echo(typer.style(footer(answer), dim=True), err=True)
        return
    for note in (*answer.notes, *(f"tried before: {attempt}" for attempt in answer.tries)):
        typer.echo(f"note: {note}", err=True)


def print_json(question: Question) -> None:
    """Print everything there is to know, a hand-back too, as one JSON object."""
    from journeyman.errors import HandedBack  # noqa: PLC0415 - beside its use

    try:
        answer = _run(_ask(question))
    except HandedBack as error:
        handed_back = {"outcome": "handed-back", "tries": error.tries, "hint": error.hint}
        print(json.dumps(handed_back, ensure_ascii=False, indent=2))
        raise typer.Exit(EXIT_FAILED) from None
    print(json.dumps({"outcome": "answered"} | asdict(answer), ensure_ascii=False, indent=2))


def _run(asking: Coroutine[None, None, Answer]) -> Answer:
    """Run to the end, or until SIGTERM: that cancels as Ctrl-C does, so the ledger has its row."""
    import asyncio  # noqa: PLC0415 - heavy

    async def until_terminated() -> Answer:
        loop = asyncio.get_running_loop()
        task = loop.create_task(asking)
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(task.cancel))
        try:
            return await task
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    try:
        return asyncio.run(until_terminated())
    except asyncio.CancelledError:
        sys.stderr.write("stopped\n")
        raise typer.Exit(EXIT_TERMINATED) from None


async def _ask(
    question: Question,
    on_progress: Callable[[Progress], None] | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    from journeyman.api import Journeyman  # noqa: PLC0415 - heavy

    async with Journeyman(roots=question.roots, session="shell") as journeyman:
        return await journeyman.ask(
            question.prompt,
            files=question.files,
            texts=question.texts,
            tool=question.tool,
            arguments=question.arguments,
            model=question.model,
            max_tokens=question.max_tokens,
            on_progress=on_progress,
            on_text=on_text,
        )
