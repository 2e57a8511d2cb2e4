"""A schedule as a line of the user's crontab; every other byte of it stays."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from journeyman.errors import PipelineError

if TYPE_CHECKING:
    from journeyman.pipelines.scheduling.values import Schedule

_SECONDS = 30


def mark(name: str) -> str:
    """What ends the line of a schedule."""
    return f"# journeyman pipeline {name}"


def line_of(schedule: Schedule) -> str:
    """The line; cron takes a bare per cent sign for the end of it."""
    settings = [shlex.quote(f"{name}={value}") for name, value in schedule.environment.items()]
    start = ["env", *settings] if settings else []
    words = " ".join([*start, shlex.join(schedule.command)])
    command = f"cd {shlex.quote(str(schedule.folder))} && {words}".replace("%", r"\%")
    return f"{schedule.cron.text} {command} {mark(schedule.name)}"


def install_line(schedule: Schedule) -> None:
    """Put the line into the crontab, in place of an older one of the same schedule.

    Raises:
        PipelineError: there is no crontab here, or it refuses.
    """
    _write(_without(_read(), schedule.name) + line_of(schedule) + "\n")


def remove_line(name: str) -> bool:
    """Take the line out of the crontab; tells whether it was there.

    Raises:
        PipelineError: the crontab refuses.
    """
    if shutil.which("crontab") is None:
        return False
    before = _read()
    after = _without(before, name)
    if after == before:
        return False
    _write(after)
    return True


def _without(text: str, name: str) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join(line for line in lines if not line.rstrip("\n").endswith(mark(name)))


def _read() -> str:
    done = _crontab("-l")
    return done.stdout if done.returncode == 0 else ""  # it says "no crontab for …"


def _write(text: str) -> None:
    done = _crontab("-", text)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[0]
        raise PipelineError(f"crontab refuses: {why}")


def _crontab(argument: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    program = shutil.which("crontab")
    if program is None:
        raise PipelineError(
            "there is no crontab on this machine", hint="install cron, or leave --crontab out"
        )
    return subprocess.run(  # noqa: S603 - the user's own crontab
        [program, argument],
        input=text,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=_SECONDS,
        check=False,
    )
