"""Helpers for the `end` functions of pipelines: results as material, the footer of a report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.errors import HandedBack
    from spadework.pipelines.items import ItemResult, Reply

_MOST_NAMED = 20


def material_of(rows: Sequence[ItemResult]) -> str:
    """Write the values of the rows that have one, a line for each, as short as JSON allows."""
    lines = (
        f"{row.name}: {json.dumps(row.value, ensure_ascii=False, separators=(',', ':'))}"
        for row in rows
        if not row.failed
    )
    return "\n".join(lines)


def why(error: HandedBack) -> str:
    """Say in a line why no model gave an answer: what the last one came to."""
    return error.tries[-1] if error.tries else str(error)


def report_of(title: str, text: str, rows: Sequence[ItemResult], reply: Reply | None = None) -> str:
    """Put a report together in Markdown: who wrote it stands below, and what is missing.

    Args:
        title: its title.
        text: what was written.
        rows: what it was written from.
        reply: what `claude` returned; None where nobody was asked.
    """
    failed = [row for row in rows if row.failed]
    foot = [f"{len(rows) - len(failed)} of {len(rows)} items were read."]
    if reply is not None and reply.stood_in:
        foot.append(f"Written by the local model {reply.model}, not by Claude: {reply.note}.")
    elif reply is not None:
        foot.append(f"Written by {reply.model} for {reply.cost_usd:.4f} USD.")
    named = [f"- {row.name}: {row.error}" for row in failed[:_MOST_NAMED]]
    if len(failed) > _MOST_NAMED:
        named.append(f"- {len(failed) - _MOST_NAMED} more")
    missing = ["## Missing", "\n".join(named)] if named else []
    return "\n\n".join([f"# {title}", text.strip(), *missing, "---", " ".join(foot)]) + "\n"
