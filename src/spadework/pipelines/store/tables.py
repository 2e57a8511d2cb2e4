"""The tables of runs, their items and the processes that work on them."""

from __future__ import annotations

import sqlalchemy as sa

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
