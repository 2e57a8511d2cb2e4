"""One scheduled run: what is started, where, and when."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from journeyman.daemon.units import kept_environment
from journeyman.errors import ArgumentError
from journeyman.paths import CONFIG_VARIABLE, DATA_VARIABLE
from journeyman.pipelines.finding import find_pipeline, full_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from journeyman.pipelines.scheduling.cron import Cron

_KEPT = (CONFIG_VARIABLE, DATA_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME")
_STDIN = "-"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One scheduled run.

    Args:
        name: what its unit and its line in the crontab are called after.
        cron: when it is started.
        command: the program and its arguments, with absolute paths.
        folder: where it is started.
        environment: where the config and the data lie; no keys.
    """

    name: str
    cron: Cron
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


def name_of(pipeline: str) -> str:
    """What a pipeline's schedule is called: `triage`, or the file's name without `.py`."""
    base = Path(pipeline.partition(".py")[0]).name
    return re.sub(r"[^A-Za-z0-9]+", "-", base).strip("-").lower() or "pipeline"


def schedule_of(pipeline: str, cron: Cron, arguments: Sequence[str]) -> Schedule:
    """Make a schedule for `pipeline run PIPELINE ARGUMENTS`, started in the current folder.

    Raises:
        ArgumentError: there is no such pipeline, or an argument makes no sense without a person.
    """
    find_pipeline(pipeline)
    if _STDIN in arguments:
        raise ArgumentError("a scheduled run has no standard input", hint="name files instead of -")
    for one in arguments:
        if "://" in one and urlsplit(one.partition("=")[2] or one).password:
            raise ArgumentError(
                "the engine's address holds a password, which would stand in a file that others "
                "may read",
                hint="put it into ~/.pgpass, and leave it out of the address",
            )
    return Schedule(
        name=name_of(pipeline),
        cron=cron,
        command=(
            sys.executable,
            "-P",
            "-m",
            "journeyman",
            "pipeline",
            "run",
            full_name(pipeline),
            *arguments,
        ),
        folder=Path.cwd(),
        environment=kept_environment(_KEPT),
    )
