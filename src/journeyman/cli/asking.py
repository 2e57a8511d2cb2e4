"""Showing an answer as it comes: streamed to a terminal, plain when piped, JSON on request."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from journeyman.cli import EXIT_FAILED

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

    Raises:
        HandedBack: no model gave an answer that passes the checks.
        JourneymanError: whatever else the engine raises.
    """
    screen = _Screen(streams=sys.stdout.isatty(), shows_status=sys.stderr.isatty())
    try:
        answer = _run(_ask(question, screen.progress, screen.text))
    finally:
        screen.leave()
    screen.show(answer.text)
    if screen.shows_status:
        from journeyman.server.results import footer  # noqa: PLC0415 - beside its use

        typer.echo(typer.style(footer(answer), dim=True), err=True)
        return
    for note in answer.notes:
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
    import asyncio  # noqa: PLC0415 - heavy

    return asyncio.run(asking)


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


class _Screen:
    """A terminal: one status line until the answer begins, then the answer itself."""

    def __init__(self, *, streams: bool, shows_status: bool) -> None:
        from journeyman.answers.thinking import VisibleStream  # noqa: PLC0415 - beside its use

        self.shows_status = shows_status
        self._streams = streams
        self._stream = VisibleStream()
        self._shown: list[str] = []
        self._status = ""

    def progress(self, progress: Progress) -> None:
        if progress.stage == "next-model":
            self._start_over(progress.message)
        elif self.shows_status and not self._shown:
            self._set_status(progress.message)

    def text(self, piece: str) -> None:
        if self._streams:
            self._write(self._stream.feed(piece))

    def leave(self) -> None:
        """Clear the status line."""
        self._set_status("")

    def show(self, answer: str) -> None:
        """Print what the stream has not shown; all of it where the stream showed another text."""
        if self._streams:
            self._write(self._stream.finish())
        shown = "".join(self._shown)
        if shown.strip() == answer:
            rest = "" if shown.endswith("\n") else "\n"
        else:
            rest = ("\n--- the checked answer:\n" if shown else "") + answer + "\n"
        sys.stdout.write(rest)
        sys.stdout.flush()

    def _write(self, text: str) -> None:
        from journeyman.answers.cleaning import clean  # noqa: PLC0415 - beside its use

        text = clean(text)[0]
        if not text:
            return
        self._set_status("")
        self._shown.append(text)
        sys.stdout.write(text)
        sys.stdout.flush()

    def _start_over(self, reason: str) -> None:
        """A model failed: what it said does not count."""
        from journeyman.answers.thinking import VisibleStream  # noqa: PLC0415 - beside its use

        self._set_status("")
        if self._shown:
            sys.stdout.write("\n")
        if self.shows_status:
            sys.stderr.write(f"--- {reason}\n")
        self._stream, self._shown = VisibleStream(), []

    def _set_status(self, message: str) -> None:
        if not self.shows_status or message == self._status:
            return
        self._status = message
        sys.stderr.write(f"\r\x1b[K{message[:100]}" if message else "\r\x1b[K")
        sys.stderr.flush()
