"""`spadework ask`: one delegation from the shell."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spadework
from spadework.checks.prompt_injection import is_warning
from spadework.cli.async_runner import run
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import (
    DEFAULT_TOOL,
    InProcess,
    MaxTokens,
    ModelOption,
    Private,
    ToolOption,
    read_schema,
)
from spadework.cli.screen import Screen
from spadework.errors import ArgumentError, HandedBack
from spadework.mcp.tool_results import footer
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from spadework.engine.job import Answer


_NOTICE_SECONDS = 2.0

_Asking = Callable[..., "Coroutine[Any, Any, Answer]"]


def ask(
    prompt: Annotated[
        str | None,
        typer.Argument(help="The task. If omitted or -, it is read from standard input."),
    ] = None,
    tool: ToolOption = "",
    model: ModelOption = "",
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            "-f",
            metavar="REF",
            help="A path, folder, glob, path:START-END or git:diff. Repeatable.",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Option(
            "--arg", "-a", metavar="NAME=TEXT", help="An argument of the tool. Repeatable."
        ),
    ] = None,
    roots: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="DIR", help="Another folder that may be read. Repeatable."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label", "-l", metavar="LABEL", help="The answer is one of these. Repeatable."
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(metavar="FILE|JSON", help="The answer is JSON that follows this JSON Schema."),
    ] = None,
    max_tokens: MaxTokens = None,
    no_stdin: Annotated[
        bool, typer.Option("--no-stdin", help="Do not read standard input.")
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Run at low priority, behind interactive questions.")
    ] = False,
    private: Private = False,
    in_process: InProcess = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer and all figures as JSON.")
    ] = False,
) -> None:
    """Ask a local model, with files by reference.

    Piped input is passed to the model as data, beside the prompt:
    git diff | spadework ask "Write a commit message."
    Use --no-stdin in a shell loop that reads lines from standard input.
    """
    if tool and model:
        raise ArgumentError(
            "--tool and --model cannot be combined", hint="a tool has its own models"
        )
    task, piped = (_without_stdin if no_stdin else _inputs)(prompt)
    _answer(
        {"roots": roots or [], "daemon": False if in_process else None},
        {
            "prompt": task,
            "tool": tool or DEFAULT_TOOL,
            "model": model or None,
            "files": files or [],
            "arguments": _named(arguments or []),
            "texts": {"standard input": piped} if piped else {},
            "max_tokens": max_tokens,
            "batch": batch,
            "private": private,
            "labels": labels or [],
            "schema": None if schema is None else read_schema(schema),
        },
        as_json=as_json,
    )


def _no_prompt() -> ArgumentError:
    return ArgumentError("missing prompt", hint='spadework ask "Summarize." -f README.md')


def _without_stdin(prompt: str | None) -> tuple[str, str]:
    if prompt is None or prompt == "-":
        raise _no_prompt()
    return prompt, ""


def _inputs(prompt: str | None) -> tuple[str, str]:
    """Return the task, and what was piped in besides it."""
    if prompt is None or prompt == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise _no_prompt()
        return _read_stdin().decode("utf-8", errors="replace"), ""
    if not _something_is_piped():
        return prompt, ""
    piped = _read_stdin()
    if piped:
        told = f"{len(piped)} bytes of standard input are passed on (--no-stdin skips them)"
    else:
        told = "standard input is empty"
    sys.stderr.write(f"note: {told}\n")
    return prompt, piped.decode("utf-8", errors="replace")


def _something_is_piped() -> bool:
    """Tell a pipe or a file from a terminal, /dev/null and a closed input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read_stdin() -> bytes:
    """Read all of standard input; say so if that takes long, since a pipe may never end."""
    notice = threading.Timer(
        _NOTICE_SECONDS,
        sys.stderr.write,
        ["waiting for standard input (--no-stdin skips it)\n"],
    )
    notice.daemon = True
    notice.start()
    try:
        return sys.stdin.buffer.read()
    finally:
        notice.cancel()


def _named(arguments: list[str]) -> dict[str, str]:
    """Turn `name=text` into a mapping."""
    named: dict[str, str] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise ArgumentError(f"--arg {argument!r}: expected NAME=TEXT")
        named[name] = text
    return named


def _answer(session: Mapping[str, Any], asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Ask, and show the answer.

    Args:
        session: what `Spadework` takes.
        asked: what `Spadework.ask` takes.
        as_json: whether to print everything there is to know as one JSON object.
    """

    async def ask(**listeners: Any) -> Answer:
        async with spadework.Spadework(session="shell", **session) as engine:
            return await engine.ask(**asked, **listeners)

    if as_json:
        _print_json(ask)
    else:
        _print_text(ask)


def _print_text(ask: _Asking) -> None:
    """Print the answer: streamed to a terminal, with the figures on standard error.

    If standard error is not a terminal, it gets only the notes.
    """
    screen = Screen(streams=sys.stdout.isatty(), shows_status=sys.stderr.isatty())
    try:
        answer = run(ask(on_progress=screen.progress, on_text=screen.text))
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


def _print_json(ask: _Asking) -> None:
    """Print the answer or the hand-back, with all figures, as one JSON object."""
    try:
        answer = run(ask())
    except HandedBack as error:
        told = {"tries": error.tries, "codes": error.codes, "hint": error.hint}
        _write({"outcome": "handed-back"} | told)
        raise typer.Exit(EXIT_FAILED) from None
    _write({"outcome": "answered"} | asdict(answer))


def _write(told: dict[str, Any]) -> None:
    # At once: a reader that leaves between two writes would make typer's exit code, not ours.
    sys.stdout.write(printable_json(told, 2) + "\n")
