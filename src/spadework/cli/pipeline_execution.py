"""Drives a run or estimates it; shows the progress as a bar on a terminal, else as lines."""

from __future__ import annotations

import sys
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING, NoReturn

import typer

from spadework.cli.async_runner import run as run_until_ended
from spadework.cli.console import duration
from spadework.cli.exit_codes import EXIT_FAILED, EXIT_SOME, EXIT_STOPPED
from spadework.errors import PipelineError
from spadework.pipelines.dry_run import estimate
from spadework.pipelines.run_driver import drive
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from spadework.cli.pipeline_context import PipelineContext
    from spadework.pipelines.dry_run import RunEstimate
    from spadework.pipelines.items import Item, RunProgress
    from spadework.pipelines.store.records import Run

_LINES = 20
_SECONDS_IN_MINUTE = 60


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


def drive_run(
    context: PipelineContext,
    planned: Run,
    items: tuple[Item, ...] | None,
    url: str,
    *,
    as_json: bool,
    retry_failed: bool = False,
) -> NoReturn:
    """Work on a run until it ends, show its progress, and exit by how it ended.

    Args:
        context: the config and the database.
        planned: the run; a new one, or one to continue.
        items: the items of a new run.
        url: the value of `--engine` for the command that continues the run.
        as_json: whether to print the end as JSON.
        retry_failed: whether to work on the failed items again.
    """
    typer.echo(f"run {planned.id}: {planned.items} items", err=True)
    display = Display()
    last: list[RunProgress] = []

    def hear(progress: RunProgress) -> None:
        last[:] = [progress]
        display.show(progress)

    driving = drive(
        context.config, context.database, planned, items, hear, retry_failed=retry_failed
    )
    try:
        ended = run_until_ended(driving)
    except (KeyboardInterrupt, typer.Exit, PipelineError):
        display.leave()
        _say_how_to_resume(planned, url)
        raise
    finally:
        display.leave()
    _say_how_it_ended(ended, last[0] if last else None, url, as_json=as_json)


def _say_how_it_ended(
    ended: Run, progress: RunProgress | None, url: str, *, as_json: bool
) -> NoReturn:
    """Say how a run ended, and exit by it."""
    done, failed = (progress.done, progress.failed) if progress else (0, 0)
    good = done - failed
    if as_json:
        print(printable_json(_as_json(ended, progress)))
    else:
        _tell(ended, progress, good, url)
    if ended.state in {"budget", "cancelled"}:
        raise typer.Exit(EXIT_STOPPED)
    if ended.state == "failed" or not good:
        raise typer.Exit(EXIT_FAILED)
    raise typer.Exit(EXIT_SOME if failed else 0)


def _as_json(ended: Run, progress: RunProgress | None) -> dict[str, object]:
    return {
        "run": ended.id,
        "state": ended.state,
        "items": ended.items,
        "done": progress.done if progress else 0,
        "failed": progress.failed if progress else 0,
        "repeated": progress.repeated if progress else 0,
        "spent_usd": progress.spent_usd if progress else 0.0,
        "error": ended.error,
        "value": ended.value,
    }


def _tell(ended: Run, progress: RunProgress | None, good: int, url: str) -> None:
    spent = f", {progress.spent_usd:.4f} USD spent" if progress and progress.spent_usd else ""
    where = f"; written to {ended.options.out}" if ended.options.out else ""
    typer.echo(f"note: {good} of {ended.items} items have a value{spent}{where}", err=True)
    if progress and progress.failed:
        typer.echo(
            f"note: {progress.failed} failed: see the `error` of each row, or "
            f"`spadework pipeline logs {ended.id}`",
            err=True,
        )
    if progress and progress.repeated:
        typer.echo(
            f"note: {progress.repeated} calls were interrupted when a process ended, "
            "and were repeated",
            err=True,
        )
    if ended.state == "done":
        return
    typer.echo(f"{ended.state}: {ended.error or 'stopped before its end'}", err=True)
    _say_how_to_resume(ended, url)


def _say_how_to_resume(run: Run, url: str) -> None:
    """Print the command that continues a run, in the same database."""
    more = f" --engine {quote(url)}" if url else ""
    typer.echo(f"to continue: spadework pipeline resume {run.id}{more}", err=True)


class Display:
    """Shows how far a run is."""

    def __init__(self) -> None:
        self._bar: tuple[Progress, TaskID] | None = None
        self._said = -1
        self._was_away = False

    def show(self, progress: RunProgress) -> None:
        """Show the current progress of a run."""
        if sys.stderr.isatty():
            self._draw(progress)
        elif self._is_worth_a_line(progress):
            self._said = progress.done
            sys.stderr.write(f"{line_of(progress)}\n")
            sys.stderr.flush()

    def leave(self) -> None:
        """Give the terminal back."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def _is_worth_a_line(self, progress: RunProgress) -> bool:
        """Whether a twentieth of the items is done since the last line, or all are.

        An outage is worth one line too, when it begins.
        """
        began = bool(progress.away) and not self._was_away
        self._was_away = bool(progress.away)
        if began:
            return True
        if progress.done == self._said or not progress.done:
            return False
        every = max(1, -(-progress.of // _LINES))
        return progress.done - max(0, self._said) >= every or progress.done == progress.of

    def _draw(self, progress: RunProgress) -> None:
        bar, task = self._bar or self._new_bar(progress)
        self._bar = (bar, task)
        bar.update(task, completed=progress.done, said=details_of(progress))

    def _new_bar(self, progress: RunProgress) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        bar = Progress(
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[said]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar, bar.add_task("", total=max(1, progress.of), said="")


def line_of(progress: RunProgress) -> str:
    """A run's progress in one line."""
    details = details_of(progress)
    return f"{progress.done}/{progress.of} items" + (f", {details}" if details else "")


def details_of(progress: RunProgress) -> str:
    """What a bar does not show: failures, rates, money and time left."""
    parts = []
    if progress.away:
        parts.append(progress.away)
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    parts += [
        f"{model} {rate_of(count, progress.seconds)}"
        for model, count in sorted(progress.per_model.items())
    ]
    if progress.spent_usd or progress.budget_usd is not None:
        of = f" of {progress.budget_usd:.2f}" if progress.budget_usd is not None else ""
        parts.append(f"{progress.spent_usd:.4f}{of} USD")
    if progress.seconds_left is not None and progress.done < progress.of:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return ", ".join(parts)


def rate_of(count: int, seconds: float) -> str:
    """So many in so much time, by the second or else by the minute."""
    by_second = count / seconds if seconds else 0.0
    return f"{by_second:.1f}/s" if by_second >= 1 else f"{by_second * _SECONDS_IN_MINUTE:.1f}/min"
