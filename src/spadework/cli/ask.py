"""`spadework ask`: one delegation from the shell."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.answer_view import Question, print_json, print_text
from spadework.cli.options import (
    InProcess,
    MaxTokens,
    ModelOption,
    Private,
    ToolOption,
    read_schema,
)
from spadework.errors import ArgumentError

DEFAULT_TOOL = "ask_local_llama"
_NOTICE_SECONDS = 2.0


def ask(
    prompt: Annotated[
        str | None, typer.Argument(help="The task; - or nothing reads it from standard input.")
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
        typer.Option("--arg", "-a", metavar="NAME=TEXT", help="Another argument of the tool."),
    ] = None,
    roots: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="DIR", help="A further folder that may be read."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="The answer is one of these labels. Repeatable."),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(metavar="FILE|JSON", help="The answer is JSON that follows this JSON Schema."),
    ] = None,
    max_tokens: MaxTokens = None,
    no_stdin: Annotated[
        bool, typer.Option("--no-stdin", help="Leave standard input alone.")
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="One of many: stand back behind questions.")
    ] = False,
    private: Private = False,
    in_process: InProcess = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer and all figures.")
    ] = False,
) -> None:
    """Ask a local model, with files by reference.

    What is piped in besides a prompt is given to the model as data, and a note says so:
    git diff | spadework ask "Write a commit message."
    With --no-stdin a shell's loop keeps its lines, which the first round would take.
    """
    if tool and model:
        raise ArgumentError("--tool and --model exclude each other", hint="a tool has its models")
    task, piped = (_without_stdin if no_stdin else _inputs)(prompt)
    question = Question(
        prompt=task,
        tool=tool or DEFAULT_TOOL,
        model=model or None,
        files=tuple(files or ()),
        arguments=_named(arguments or []),
        texts={"standard input": piped} if piped else {},
        roots=tuple(roots or ()),
        max_tokens=max_tokens,
        batch=batch,
        private=private,
        daemon=False if in_process else None,
        labels=tuple(labels or ()),
        schema=None if schema is None else read_schema(schema),
    )
    if as_json:
        print_json(question)
    else:
        print_text(question)


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
        told = f"{len(piped)} bytes of standard input go along (--no-stdin leaves them)"
    else:
        told = "nothing came on standard input"
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
        ["reading standard input (if there is none: spadework ask … </dev/null)\n"],
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
            raise ArgumentError(f"--arg {argument!r} is not written NAME=TEXT")
        named[name] = text
    return named
