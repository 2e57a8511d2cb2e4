"""The records of runs, their items and the processes that work on them, and their tables."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - `decode` reads the annotations
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

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


METADATA = sa.MetaData()

RUNS = sa.Table(
    "spadework_runs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
)

# An item waits (0), has its row (1), or its row is in the results too (2).
WAITING, DONE, WRITTEN = 0, 1, 2

ITEMS = sa.Table(
    "spadework_items",
    METADATA,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("repeated", sa.Integer, nullable=False, default=0),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("row", sa.Text),
)
sa.Index("spadework_items_by_state", ITEMS.c.run, ITEMS.c.state, ITEMS.c.number)

WORKERS = sa.Table(
    "spadework_workers",
    METADATA,
    sa.Column("executor", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),
)

REPEATS = sa.Table(
    "spadework_repeats",
    METADATA,
    sa.Column("call", sa.Text, primary_key=True),
    sa.Column("executor", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
)
sa.Index("spadework_repeats_by_item", REPEATS.c.run, REPEATS.c.number)

# Items that were private from the beginning or became so; the number 0 is the end of the run.
PRIVATE = sa.Table(
    "spadework_private",
    METADATA,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
)

EVENTS = sa.Table(
    "spadework_events",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
sa.Index("spadework_events_by_run", EVENTS.c.run, EVENTS.c.id)
