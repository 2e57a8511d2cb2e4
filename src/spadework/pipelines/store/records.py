"""The records of a run as stored in the database."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - `decode` reads the annotations
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["running", "done", "failed", "cancelled", "budget"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run; every process that works on it follows them.

    Args:
        project: the folder that relative references start from.
        roots: further folders that may be read.
        concurrency: how many items one process works on at the same time.
        budget_usd: the most that may be spent; None: no limit.
        uses_claude: whether `claude(…)` may ask the API at all.
        batch: whether it asks by the Message Batches API.
        settings: what `setting(name)` gives, by name.
        out: the file of results; empty: standard output.
        ordered: whether the results are written in the order of the items.
    """

    project: str
    roots: tuple[str, ...] = ()
    concurrency: int = 16
    budget_usd: float | None = None
    uses_claude: bool = True
    batch: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    out: str = ""
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Args:
        id: its name; the same id is the same run.
        pipeline: `FILE:NAME` with an absolute path, or the name of a ready one.
        state: where it stands; "running" also where its process has died.
        created: seconds since the epoch, as is `ended`.
        items: how many there are.
        value: what the pipeline's `finish` returned.
        error: why it failed or stopped.
        attempt: how often it was resumed.
    """

    id: str
    pipeline: str
    state: State
    created: float
    items: int
    options: Options
    ended: float | None = None
    value: Any = None
    error: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items have a row, failed, and were in flight when a process died."""

    done: int
    failed: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process; `silent` is the number of seconds since its last heartbeat."""

    executor: str
    host: str
    pid: int
    run: str
    silent: float
