"""What `spadework pipeline` prints about runs: the estimate of a dry run, and descriptions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from spadework.cli.async_runner import run as run_until_ended
from spadework.cli.console import local_time
from spadework.pipelines.claude_api.budget import Budget
from spadework.pipelines.dry_run import estimate
from spadework.pipelines.durable.worker_process import is_dead
from spadework.pipelines.store.worker_table import Workers
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.cli.pipeline_context import PipelineContext
    from spadework.pipelines.claude_api.budget import Spend
    from spadework.pipelines.dry_run import RunEstimate
    from spadework.pipelines.items import Item
    from spadework.pipelines.store.records import Run, Worker
    from spadework.pipelines.store.runs import Runs


def print_estimate(
    context: PipelineContext, run: Run, items: tuple[Item, ...], *, as_json: bool
) -> None:
    """Print what a run would ask and cost."""
    try:
        found = run_until_ended(estimate(context.config, context.database, run, items))
    finally:
        context.database.close()
    if as_json:
        told = asdict(found) | {"budget_usd": run.options.budget_usd}
        print(printable_json(told))
        return
    for line in _estimate_lines(run, found):
        print(line)


def _estimate_lines(run: Run, found: RunEstimate) -> list[str]:
    looked = f", estimated from {found.looked_at}" if found.looked_at < found.items else ""
    lines = [f"{found.items} items{looked}; no model was asked"]
    lines += [f"{tool}: about {count} calls" for tool, count in sorted(found.local_calls.items())]
    if found.claude_calls:
        how = (
            "counted by the API" if found.counted else "in whole or in part a guess from the bytes"
        )
        read = f"{found.input_tokens:,} tokens to read ({how})"
        lines.append(f"Claude: about {found.claude_calls} calls, {read}")
        most = f"at most {found.most_usd:.4f} USD with the longest replies"
        lines.append(f"cost: {found.input_usd:.4f} USD to read, {most}")
    if found.steps:
        steps = ", ".join(found.steps)
        lines.append(f"steps were not called; what they ask is not in these figures: {steps}")
    if found.stands_in and found.local_calls:
        lines.append(f"Claude is not asked: {found.stands_in}")
    budget = run.options.budget_usd
    if budget is not None and found.most_usd > budget:
        lines.append(f"the budget of {budget:g} USD could be reached before the end")
    lines += [f"problem: {one}" for one in found.problems]
    return lines


def describe_runs(context: PipelineContext, chosen: Sequence[Run]) -> list[dict[str, object]]:
    """Describe runs for `pipeline list` and `pipeline show`."""
    living = [one for one in Workers(context.database).all() if not is_dead(one)]
    budget = Budget(context.database.engine)
    return [_description(context.runs, run, living, budget.spent(run.id)) for run in chosen]


def _description(runs: Runs, run: Run, living: Sequence[Worker], spend: Spend) -> dict[str, object]:
    counts = runs.counts(run.id)
    mine = [f"{one.host} (process {one.pid})" for one in living if one.run in {run.id, ""}]
    state: str = run.state
    if state == "running" and not mine:
        state = "interrupted"
    return {
        "run": run.id,
        "state": state,
        "pipeline": run.pipeline,
        "begun": local_time(run.created),
        "items": run.items,
        "done": counts.done,
        "failed": counts.failed,
        "repeated": counts.repeated,
        "spent_usd": spend.spent_usd,
        "lost_usd": spend.lost_usd,
        "workers": mine if run.state == "running" else [],
    }
