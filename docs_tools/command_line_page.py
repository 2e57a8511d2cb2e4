"""Writes docs/cli.md from the commands' own help; `make docs` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer import Context
from typer.main import get_command

from spadework.cli import exit_codes
from spadework.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 90

HEAD = """# Command line

**For:** users of the shell who look up a command or an option.

This page is generated from the commands' own help by `make docs`.

Standard output carries the answer and nothing else. Standard error gets what the caller should
know (`note: …`) and errors, each one line and a hint; on a terminal also the progress and a line of
figures. `--json` has every figure. Tables are cut to a terminal's width; in a pipe they are
tab-separated, whole and without a header.

| exit code | means |
|---|---|
"""

CODES = {
    0: "done",
    exit_codes.EXIT_FAILED: "handed back, or a backend, the ledger or the embedded engine failed",
    exit_codes.EXIT_USAGE: "wrong usage, arguments or config",
    exit_codes.EXIT_REFUSED: "a reference was refused",
    exit_codes.EXIT_SOME: "a pipeline's run ended; some items have no value",
    exit_codes.EXIT_STOPPED: "a pipeline's run stopped at its budget or was cancelled",
    exit_codes.EXIT_INTERRUPTED: "stopped by Ctrl-C; the model was stopped too",
    exit_codes.EXIT_BROKEN_PIPE: "the reader of our output went away",
    exit_codes.EXIT_TERMINATED: "stopped by SIGTERM; the model was stopped too",
}


def page() -> str:
    """Return the whole page."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in CODES.items())
    sections = "\n".join(_sections(get_command(app), "spadework"))
    return HEAD + codes + "\n" + sections


def _sections(command: Any, name: str, parent: Any = None) -> Iterator[str]:
    context = Context(
        command,
        parent=parent,
        info_name=name,
        max_content_width=WIDTH,
        terminal_width=WIDTH,
        **command.context_settings,
    )
    text = command.get_help(context).rstrip()
    yield f"## {context.command_path}\n\n```text\n{text}\n```\n"
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _sections(child, child_name, context)


if __name__ == "__main__":
    print(page(), end="")
