"""A schedule on this machine: a timer of the user's systemd, or a line of the user's crontab."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from spadework.daemon.service_units import command_line, environment_lines, user_units
from spadework.errors import PipelineError
from spadework.util.atomic_files import replace_keeping
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from pathlib import Path

    from spadework.pipelines.schedules.schedule import Schedule

_SERVICE = """\
[Unit]
Description=Spadework pipeline {name}

[Service]
Type=oneshot
WorkingDirectory={folder}
# Keys belong in a file of your own: EnvironmentFile=%h/.config/spadework/keys
{environment}ExecStart={command}
"""
_TIMER = """\
[Unit]
Description=When the Spadework pipeline {name} runs

[Timer]
{times}Persistent=true

[Install]
WantedBy=timers.target
"""
_SECONDS = 30
# Debian's, Fedora's and macOS's word for it, and busybox's.
_THERE_IS_NONE = (b"no crontab", b"No such file or directory")


def unit_name(name: str) -> str:
    """What the units are called, without their kind."""
    return f"spadework-pipeline-{name}"


def units_of(schedule: Schedule) -> dict[Path, str]:
    """The two units by where they go: the service first."""
    folder = user_units()
    base = unit_name(schedule.name)
    times = "".join(f"OnCalendar={line}\n" for line in schedule.cron.on_calendar())
    service = _SERVICE.format(
        name=schedule.name,
        # The one setting here that is taken as it stands, but for the per cent sign.
        folder=str(schedule.folder).replace("%", "%%"),
        environment=environment_lines(schedule.environment),
        command=command_line(schedule.command),
    )
    return {
        folder / f"{base}.service": service,
        folder / f"{base}.timer": _TIMER.format(name=schedule.name, times=times),
    }


def start_command(name: str) -> str:
    """What makes the timer run."""
    return (
        f"systemctl --user daemon-reload && systemctl --user enable --now {unit_name(name)}.timer"
    )


def stop_command(name: str) -> str:
    """What ends it; before its files go."""
    return f"systemctl --user disable --now {unit_name(name)}.timer"


def write_units(schedule: Schedule) -> list[Path]:
    """Put both units in place; returns where units are kept that were edited before.

    Raises:
        PipelineError: they cannot be written.
    """
    kept = []
    for path, text in units_of(schedule).items():
        try:
            before = replace_keeping(path, text.encode())
        except OSError as error:
            raise PipelineError(f"{path} cannot be written: {error.strerror}") from None
        if before:
            kept.append(before)
    return kept


def remove_units(name: str) -> list[Path]:
    """Delete the units of a schedule; returns which were there.

    Raises:
        PipelineError: one cannot be deleted.
    """
    gone = []
    for kind in ("timer", "service"):
        path = user_units() / f"{unit_name(name)}.{kind}"
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PipelineError(f"{path} cannot be deleted: {error.strerror}") from None
        gone.append(path)
    return gone


def mark(name: str) -> str:
    """What ends the line of a schedule."""
    return f"# spadework pipeline {name}"


def line_of(schedule: Schedule) -> str:
    """The line; cron takes a bare per cent sign for the end of it."""
    settings = [shlex.quote(f"{name}={value}") for name, value in schedule.environment.items()]
    start = ["env", *settings] if settings else []
    words = " ".join([*start, shlex.join(schedule.command)])
    command = f"cd {shlex.quote(str(schedule.folder))} && {words}".replace("%", r"\%")
    return f"{schedule.cron.text} {command} {mark(schedule.name)}"


def install_line(schedule: Schedule) -> Path | None:
    """Put the line into the crontab, in place of an older one of the same schedule.

    Returns:
        Where the crontab as it was is kept; None if there was none.

    Raises:
        PipelineError: `crontab` is not installed, or failed.
    """
    before = _read()
    return _change(before, _without(before, schedule.name) + line_of(schedule).encode() + b"\n")


def remove_line(name: str) -> bool:
    """Take the line out of the crontab; tells whether it was there.

    Raises:
        PipelineError: the crontab refuses.
    """
    if shutil.which("crontab") is None:
        return False
    before = _read()
    after = _without(before, name)
    if len(after) >= len(before):
        return False
    _change(before, after)
    return True


def _without(table: bytes, name: str) -> bytes:
    lines = table.split(b"\n")
    if lines[-1]:
        lines.append(b"")
    end = mark(name).encode()
    return b"\n".join(line for line in lines if not line.rstrip().endswith(end))


def _read() -> bytes:
    """The crontab as it is; it is never taken for empty unless that is what was said."""
    done = _crontab("-l")
    if done.returncode and not any(said in done.stderr for said in _THERE_IS_NONE):
        raise _refusal(done)
    return b"" if done.returncode else done.stdout


def _change(before: bytes, after: bytes) -> Path | None:
    """Put another crontab in place; the one before is kept in the data folder."""
    kept = data_folder() / "crontab" if before else None
    try:
        if kept:
            replace_keeping(kept, before)
    except OSError as error:
        raise PipelineError(f"{kept}: the crontab cannot be kept: {error.strerror}") from None
    done = _crontab("-", after)
    if done.returncode:
        raise _refusal(done)
    return kept


def _refusal(done: subprocess.CompletedProcess[bytes]) -> PipelineError:
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return PipelineError(f"crontab refuses: {said[0] if said else 'it says nothing'}")


def _crontab(argument: str, table: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("crontab")
    if program is None:
        raise PipelineError(
            "`crontab` is not installed on this machine",
            hint="install cron, or leave --crontab out",
        )
    return subprocess.run(  # noqa: S603 - the user's own crontab
        [program, argument],
        input=table,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C"},
        timeout=_SECONDS,
        check=False,
    )
