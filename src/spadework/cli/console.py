"""Telling the person what happens, beside standard output, and asking."""

from __future__ import annotations

import sys

import typer

from spadework.cli.exit_codes import EXIT_FAILED
from spadework.errors import ArgumentError


def say(text: str) -> None:
    """Tell the person; standard output is for what a program may read."""
    print(text, file=sys.stderr)


def printable_json(value: object, indent: int | None = None) -> str:
    """Write JSON for a terminal; see `spadework.util.untrusted_text`, imported on use."""
    from spadework.util import untrusted_text  # noqa: PLC0415 - no help text needs it

    return untrusted_text.printable_json(value, indent)


def display_name(name: str) -> str:
    """Return a name as it may be shown: see `spadework.util.untrusted_text`."""
    from spadework.util import untrusted_text  # noqa: PLC0415 - as above

    return untrusted_text.display_name(name)


def display_path(path: str) -> str:
    """Return a file's name as it may be shown: see `spadework.util.untrusted_text`."""
    from spadework.util import untrusted_text  # noqa: PLC0415 - as above

    return untrusted_text.display_path(path)


def count(number: int, thing: str) -> str:
    """Say how many there are of a thing."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def confirm(question: str) -> None:
    """Ask, and leave with 1 at a no.

    Raises:
        ArgumentError: nobody is there to ask.
    """
    if not agrees(question):
        raise typer.Exit(EXIT_FAILED)


def agrees(question: str) -> bool:
    """Ask for a yes or a no; yes if the person just presses Enter.

    Raises:
        ArgumentError: nobody is there to ask.
    """
    if not sys.stdin.isatty():
        raise ArgumentError("nobody is there to ask", hint="add --yes, or --dry-run to only look")
    return typer.confirm(question, default=True, err=True)
