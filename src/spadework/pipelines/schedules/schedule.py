"""A scheduled run: its command, its working folder and its time."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spadework.config.secret_masking import is_secret_value
from spadework.daemon.service_units import kept_environment
from spadework.errors import ArgumentError
from spadework.pipelines.definition import find_pipeline, full_name
from spadework.pipelines.store.database import ENGINE_VARIABLE
from spadework.util.paths import CONFIG_VARIABLE, DATA_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.pipelines.schedules.cron import Cron

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
    """What a pipeline's schedule is called: `triage`; for `FILE.py:NAME` the file and the name."""
    base = re.sub(r"\.py(?=:|$)", "", Path(pipeline).name)
    return re.sub(r"[^A-Za-z0-9]+", "-", base).strip("-").lower() or "pipeline"


def schedule_of(
    pipeline: str, cron: Cron, arguments: Sequence[str], *, out: Path | None = None, run: str = ""
) -> Schedule:
    """Make a schedule for `pipeline run PIPELINE ARGUMENTS`, started in the current folder.

    Args:
        pipeline: `FILE`, `FILE:NAME`, or the name of a ready one.
        cron: when it is started.
        arguments: what `pipeline run` is given after the pipeline.
        out: the file of results that the arguments name.
        run: the run's id that they name.

    Raises:
        ArgumentError: the pipeline does not exist, or an argument needs a terminal.
    """
    find_pipeline(pipeline)
    full, folder = full_name(pipeline), Path.cwd()
    _check(arguments)
    if out is not None and not run and "{run}" not in str(out):
        raise ArgumentError(
            f"--out {out} is full after the first time: each time is a run of its own",
            hint=f"name it after the run: --out '{out.stem}-{{run}}{out.suffix}'",
        )
    environment = dict(kept_environment(_KEPT))
    if engine := os.environ.get(ENGINE_VARIABLE):
        _check([engine])
        environment[ENGINE_VARIABLE] = engine
    for one in (full, str(folder), *arguments, *environment.values()):
        if not one.isprintable():
            raise ArgumentError(
                f"{one!r} has a line break or another control character",
                hint="neither systemd nor cron could read it",
            )
    return Schedule(
        name=name_of(pipeline),
        cron=cron,
        command=(
            sys.executable,
            "-P",
            "-m",
            "spadework",
            "pipeline",
            "run",
            full,
            *arguments,
        ),
        folder=folder,
        environment=environment,
    )


def _check(arguments: Sequence[str]) -> None:
    """Refuse what needs a person, and what is a secret: others may read where it would stand."""
    if _STDIN in arguments:
        raise ArgumentError("a scheduled run has no standard input", hint="name files instead of -")
    for one in arguments:
        value = one if urlsplit(one).scheme else one.partition("=")[2]
        if "://" in value and urlsplit(value).password:
            raise ArgumentError(
                "the engine's address holds a password, which would be written to a file that "
                "others may read",
                hint="put it into ~/.pgpass, and leave it out of the address",
            )
        if any(map(is_secret_value, one.split("="))):
            raise ArgumentError(
                "an argument is a key, which would be written to a file that others may read",
                hint="systemd reads keys from a file of yours by EnvironmentFile=",
            )
