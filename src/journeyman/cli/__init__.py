"""The command line; one file per command group.

Exit codes: 0 done; 1 handed back, or a backend, the ledger or the embedded engine failed; 2 wrong
usage, arguments or config; 3 a reference was refused; 130 stopped by Ctrl-C; 141 the reader of
our output went away.
"""

from __future__ import annotations

import os
import sys

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main() -> None:
    """Run the command line; every error of ours becomes one line, a hint and an exit code."""
    from journeyman.errors import (  # noqa: PLC0415 - importing this package costs nothing
        ArgumentError,
        ConfigError,
        JourneymanError,
        ReferenceRefused,
    )

    try:
        from journeyman.cli.app import app  # noqa: PLC0415 - typer

        app(prog_name="journeyman")
    except JourneymanError as error:
        report(error)
        if isinstance(error, ReferenceRefused):
            sys.exit(EXIT_REFUSED)
        sys.exit(EXIT_USAGE if isinstance(error, ArgumentError | ConfigError) else EXIT_FAILED)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_BROKEN_PIPE)


def report(error: Exception) -> None:
    """Write an error, the tries that led to it and its hint to standard error."""
    sys.stderr.write(f"error: {error}\n")
    for attempt in getattr(error, "tries", ()):
        sys.stderr.write(f"- {attempt}\n")
    if hint := getattr(error, "hint", ""):
        sys.stderr.write(f"hint: {hint}\n")
