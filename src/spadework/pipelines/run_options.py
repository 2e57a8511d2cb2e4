"""Creates a run, or the options of a resumed one, from command-line options."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.errors import ArgumentError
from spadework.pipelines.definition import find_pipeline, full_name
from spadework.pipelines.store.records import Options, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.config.models import Config
    from spadework.pipelines.store.runs import Runs

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_IN_A_BATCH = 1000
"""How many items are worked on at the same time where their calls wait in a batch."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The command-line options of a run; None where an option was not given."""

    out: Path | None = None
    ordered: bool | None = None
    budget_usd: float | None = None
    concurrency: int | None = None
    uses_claude: bool | None = None
    batch: bool | None = None
    settings: Mapping[str, str] | None = None


def new_id(pipeline: str) -> str:
    """Make a run's id: the pipeline's name, the time, and a few signs that no other run has."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", Path(pipeline.partition(".py")[0]).name).strip("-")
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{(name or 'run').lower()[:60]}-{moment}-{secrets.token_hex(2)}"


def checked_id(run: str) -> str:
    """Return a run's id.

    Raises:
        ArgumentError: it is none.
    """
    if not _ID.fullmatch(run):
        raise ArgumentError(
            f"--run {run!r} is not a valid id", hint="up to 100 letters, digits, '.', '_' and '-'"
        )
    return run


def new_run(
    run: str, pipeline: str, items: int, requested: RunOptions, project: Path, config: Config
) -> Run:
    """Make a run that is yet to start."""
    first = Options(
        project=str(project.absolute()),
        concurrency=max(config.pipelines.at_once, _IN_A_BATCH if requested.batch else 0),
        budget_usd=config.pipelines.budget_usd,
    )
    return Run(run, pipeline, "running", time.time(), items, with_wishes(first, requested, run))


def with_wishes(options: Options, requested: RunOptions, run: str) -> Options:
    """Change a run's options where something else was said; `{run}` in a file's name is its id."""
    said: dict[str, Any] = {one.name: getattr(requested, one.name) for one in fields(requested)}
    if requested.out is not None:
        said["out"] = _place(requested.out, run)
    return replace(options, **{name: value for name, value in said.items() if value is not None})


def _place(wished: Path, run: str) -> str:
    out = Path(str(wished).replace("{run}", run))
    folder = out.absolute().parent
    if not folder.is_dir():
        raise ArgumentError(f"--out {out}: no such folder: {folder}", hint="create it first")
    return str(out.absolute())


def to_go_on_with(runs: Runs, run: str, pipeline: str, *, resume: bool) -> Run | None:
    """Find the run that is meant, if it was begun before.

    Args:
        runs: the runs.
        run: its id; empty where none was given.
        pipeline: its pipeline's full name.
        resume: without an id: the newest one of this pipeline that did not get to its end.

    Raises:
        ArgumentError: the run of that id is one of another pipeline.
    """
    if run:
        if not runs.exists(run):
            return None
        found = runs.find(run)
        if found.pipeline != pipeline:
            raise ArgumentError(
                f"the run {run} is one of {found.pipeline}", hint="choose another id by --run"
            )
        return found
    if not resume:
        return None
    mine = (one for one in runs.newest(1000) if one.pipeline == pipeline and one.state != "done")
    return next(mine, None)


def checked_pipeline(name: str) -> str:
    """Return a pipeline's full name, once it has been seen to load.

    Raises:
        ArgumentError: it is not there or does not load.
    """
    find_pipeline(name)
    return full_name(name)


def default_inputs(name: str) -> list[str]:
    """What a pipeline works on that is given no inputs; mostly nothing."""
    return list(find_pipeline(name).inputs)


def settings_of(given: Sequence[str]) -> dict[str, str]:
    """Read `NAME=VALUE` pairs.

    Raises:
        ArgumentError: one is none.
    """
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise ArgumentError(f"--set {one!r} is not of the form NAME=VALUE")
        found[name] = value
    return found
