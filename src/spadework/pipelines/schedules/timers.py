"""A schedule as a timer and a service of systemd, the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.daemon.service_units import command_line, environment_lines, user_units
from spadework.errors import PipelineError
from spadework.util.atomic_files import replace_keeping

if TYPE_CHECKING:
    from pathlib import Path

    from spadework.pipelines.schedules.schedule import Schedule

_SERVICE = """\
[Unit]
Description=Spadework pipeline {name}

[Service]
Type=oneshot
WorkingDirectory={folder}
# Keys stand in a file of yours: EnvironmentFile=%h/.config/spadework/keys
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
