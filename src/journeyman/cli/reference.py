"""Writes docs/cli.md from the commands' own help: `python -m journeyman.cli.reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journeyman import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 90

HEAD = """# Command line

This page is generated from the commands' own help by `make docs`.

Standard output carries the answer and nothing else; progress, figures and errors go to
standard error. An error is one line and a hint.

| exit code | means |
|---|---|
"""

CODES = {
    0: "done",
    cli.EXIT_FAILED: "handed back, or a backend, the ledger or the embedded engine failed",
    cli.EXIT_USAGE: "wrong usage, arguments or config",
    cli.EXIT_REFUSED: "a reference was refused",
    cli.EXIT_INTERRUPTED: "stopped by Ctrl-C; the model was stopped too",
    cli.EXIT_BROKEN_PIPE: "the reader of our output went away",
}


def page() -> str:
    """Return the whole page."""
    from typer.main import get_command  # noqa: PLC0415 - only for this page

    from journeyman.cli.app import app  # noqa: PLC0415 - only for this page

    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in CODES.items())
    sections = "\n".join(_sections(get_command(app), "journeyman"))
    return HEAD + codes + "\n" + sections


def _sections(command: Any, path: str) -> Iterator[str]:
    from typer import Context  # noqa: PLC0415 - only for this page

    context = Context(command, info_name=path, max_content_width=WIDTH, terminal_width=WIDTH)
    text = command.get_help(context).rstrip()
    yield f"## {path}\n\n```text\n{text}\n```\n"
    for name, child in getattr(command, "commands", {}).items():
        yield from _sections(child, f"{path} {name}")


if __name__ == "__main__":
    print(page(), end="")
