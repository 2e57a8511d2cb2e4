"""The database table of calls to Claude: the maximum cost, the cost and the answer of each."""

from __future__ import annotations

import sqlalchemy as sa

RESERVED, IN_FLIGHT, WAITING, SETTLED, FAILED = states = (
    "reserved",  # it has its part of the budget and is not sent yet
    "in-flight",  # it may have been sent; nobody has seen its end
    "waiting",  # it is in a batch whose id is known
    "settled",  # answered; the cost is the true one
    "failed",  # it ended without an answer
)
OPEN = (RESERVED, IN_FLIGHT, WAITING)

metadata = sa.MetaData()
calls = sa.Table(
    "spadework_claude_calls",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # Which send of this call this row speaks of: an older one settles nothing.
    sa.Column("send", sa.Integer, nullable=False),
    # Money in billionths of a dollar. `worst` is that of the send under way, `lost` the sum of
    # the worst cases of sends whose end nobody saw.
    sa.Column("worst", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("lost", sa.BigInteger, nullable=False),
    sa.Column("batch_id", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
    sa.Column("changed_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
)


def create(engine: sa.Engine) -> None:
    """Make the table where it is missing; another process may do the same at this moment."""
    try:
        metadata.create_all(engine, checkfirst=True)
    except sa.exc.DBAPIError:
        if not sa.inspect(engine).has_table(calls.name):
            raise
