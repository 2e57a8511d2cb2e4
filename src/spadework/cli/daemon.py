"""`spadework daemon`: the process behind every window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.console import duration
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import Json
from spadework.daemon import bootstrap, control
from spadework.daemon.control import describe, ensure_running
from spadework.daemon.log_file import log_file
from spadework.daemon.service_units import remove_unit, unit_here, write_unit
from spadework.errors import ArgumentError, DaemonError
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from pathlib import Path

NONE_RUNS = "no daemon is running; the first window or `spadework daemon start` starts one"
_SECONDS_BETWEEN_LOOKS = 0.5
_AT_ONCE = 65536


def start() -> None:
    """Start the daemon in the background; windows start it themselves."""
    pid, new = ensure_running()
    print(f"{'started' if new else 'already running'}: process {pid}")


def stop() -> None:
    """Stop the daemon; running delegations are cancelled, and recorded as such."""
    pid = control.stop()
    print("no daemon is running" if pid is None else f"stopped: process {pid}")


def status(
    as_json: Json = False,
) -> None:
    """Show the daemon's process and who is connected; `spadework status` shows its work."""
    told = describe()
    if as_json:
        print(printable_json(told or {"running": False}, 2))
    elif told is None:
        typer.echo(NONE_RUNS, err=True)
    else:
        _print(told)
    if told is None:
        raise typer.Exit(EXIT_FAILED)


def _print(told: dict[str, Any]) -> None:
    lines = {
        "process": told["pid"],
        "version": told["version"],
        "up": duration(time.time() - told["started"]),
        "address": told["address"],
        "config": told["config"],
        "log": told["log"] or "none",
        "running": told["running"],
    }
    if told["http"]:
        lines["http"] = told["http"]
    if told["problem"]:
        lines["problem"] = f"the changed config is not in use: {told['problem']}"
    if told["superseded"]:
        lines["ends"] = "when idle: a newer version is installed"
    for name, value in lines.items():
        print(f"{name:10}{value}")
    windows = [one for one in told["connections"] if one["role"] == "mcp"]
    print(f"{'windows':10}{len(windows)}")
    for one in windows:
        since = duration(time.time() - one["since"])
        print(f"  {one['session']}  process {one['pid']}, {since}, {one['project']}")


def logs(
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="How many lines.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the end of the daemon's log."""
    file = log_file()
    if not file.exists() and not follow:
        raise DaemonError(f"no log yet: {file}", hint="no daemon has run here")
    position = _print_end(file, lines)
    while follow:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        position = _print_from(file, position)


def _print_end(file: Path, count: int) -> int:
    if not file.exists():
        return 0
    with file.open("rb") as log:
        content = log.read()
    for line in content.splitlines()[-count:] if count else []:
        print(line.decode(errors="replace"), flush=True)
    return len(content)


def _print_from(file: Path, position: int) -> int:
    """Print what was added; a file that is shorter now was begun anew."""
    if not file.exists():
        return 0
    with file.open("rb") as log:
        if file.stat().st_size < position:
            position = 0
        log.seek(position)
        content = log.read()
    print(content.decode(errors="replace"), end="", flush=True)
    return position + len(content)


def run(
    background: Annotated[
        bool, typer.Option("--background", help="Detach from the terminal, as windows start it.")
    ] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Do not stop when idle.")] = False,
) -> None:
    """Run the daemon in the foreground, with its log on standard error, until Ctrl-C."""
    bootstrap.run(background=background, stay=stay)


def install(
    show: Annotated[bool, typer.Option("--print", help="Print the file; write nothing.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the file.")] = False,
) -> None:
    """Make the daemon a service of your session: systemd on Linux, launchd on macOS.

    This is optional: windows start the daemon themselves. A service starts with the session, and
    has keys and paths of its own.
    """
    if show and remove:
        raise ArgumentError("--print and --remove cannot be combined")
    unit = unit_here()
    if show:
        print(unit.text, end="")
    elif remove:
        remove_unit(unit)
        print(f"removed {unit.path}\nnext: {unit.stop}")
    else:
        if kept := write_unit(unit):
            print(f"the previous file is kept as {kept}")
        print(f"wrote {unit.path}\nnext: {unit.start}")
