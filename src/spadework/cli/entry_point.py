"""Runs a command; every error of ours becomes one line, a hint and an exit code."""

from __future__ import annotations

import io
import os
import sys

from spadework.cli.exit_codes import (
    EXIT_BROKEN_PIPE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_USAGE,
)
from spadework.errors import ArgumentError, ConfigError, ReferenceRefused, SpadeworkError


def run() -> None:
    """Run the command that the arguments name, and exit."""
    _prepare_streams()
    try:
        if sys.argv[1:] == ["daemon", "run", "--background"]:
            from spadework.daemon.bootstrap import run as run_daemon  # noqa: PLC0415 - a window waits for it

            run_daemon(background=True)
            return
        from spadework.cli.app import app  # noqa: PLC0415 - typer

        try:
            app(prog_name="spadework")
        finally:
            # Here a full disk is an error of ours, at exit it would be reported by Python.
            sys.stdout.flush()
    except SpadeworkError as error:
        _report(error)
        if isinstance(error, ReferenceRefused):
            sys.exit(EXIT_REFUSED)
        sys.exit(EXIT_USAGE if isinstance(error, ArgumentError | ConfigError) else EXIT_FAILED)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        sys.exit(EXIT_BROKEN_PIPE)
    except OSError as error:
        _drop_output()
        where = f": {error.filename}" if error.filename else ""
        sys.stderr.write(f"error: {error.strerror or error}{where}\n")
        sys.exit(EXIT_FAILED)


def _prepare_streams() -> None:
    """Write `?` for what the terminal's encoding lacks; replace streams that are closed."""
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)  # the lowest free number: 0, which no other file may get
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until exit
    if sys.stdout is None:
        sys.exit("error: standard output is closed")  # exit code 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """Discard what is buffered: Python would report the error again when it flushes at exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> None:
    """Write an error, the tries that led to it and its hint to standard error."""
    sys.stderr.write(f"error: {error}\n")
    for attempt in getattr(error, "tries", ()):
        sys.stderr.write(f"- {attempt}\n")
    if hint := getattr(error, "hint", ""):
        sys.stderr.write(f"hint: {hint}\n")
