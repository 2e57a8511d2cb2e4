"""What `spadework pipeline run --dry-run` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from spadework.cli.async_runner import run as run_until_ended
from spadework.cli.console import printable_json

if TYPE_CHECKING:
    from spadework.config.models import Config
    from spadework.pipelines.dry_run import RunEstimate
    from spadework.pipelines.items import Item
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Run


def show(
    config: Config, database: Database, run: Run, items: tuple[Item, ...], *, as_json: bool
) -> None:
    """Estimate a run and show what it would ask and cost."""
    from spadework.pipelines.dry_run import estimate  # noqa: PLC0415 - heavy

    try:
        found = run_until_ended(estimate(config, database, run, items))
    finally:
        database.close()
    if as_json:
        told = asdict(found) | {"budget_usd": run.options.budget_usd}
        print(printable_json(told))
        return
    for line in _lines(run, found):
        print(line)


def _lines(run: Run, found: RunEstimate) -> list[str]:
    looked = f", estimated from {found.looked_at}" if found.looked_at < found.items else ""
    lines = [f"{found.items} items{looked}; no model was asked"]
    lines += [f"{tool}: about {count} calls" for tool, count in sorted(found.local_calls.items())]
    if found.claude_calls:
        how = "counted by the API" if found.counted else "in whole or part a guess from the bytes"
        read = f"{found.input_tokens:,} tokens to read ({how})"
        lines.append(f"Claude: about {found.claude_calls} calls, {read}")
        most = f"at most {found.most_usd:.4f} USD with the longest replies"
        lines.append(f"cost: {found.input_usd:.4f} USD to read, {most}")
    if found.steps:
        steps = ", ".join(found.steps)
        lines.append(f"steps were not called, and what they ask is not in these figures: {steps}")
    if found.stands_in and found.local_calls:
        lines.append(f"Claude is not asked: {found.stands_in}")
    budget = run.options.budget_usd
    if budget is not None and found.most_usd > budget:
        lines.append(f"the budget of {budget:g} USD could be reached before the end")
    lines += [f"problem: {one}" for one in found.problems]
    return lines
