"""How far a run is: a bar on a terminal, else a line now and then; on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from spadework.pipelines.items import RunProgress

_LINES = 20
_MINUTE = 60
_HOUR = 3600


class Display:
    """Shows how far a run is."""

    def __init__(self) -> None:
        self._bar: tuple[Progress, TaskID] | None = None
        self._said = -1
        self._was_away = False

    def show(self, standing: RunProgress) -> None:
        """Show the current progress of a run."""
        if sys.stderr.isatty():
            self._draw(standing)
        elif self._is_worth_a_line(standing):
            self._said = standing.done
            sys.stderr.write(f"{line_of(standing)}\n")
            sys.stderr.flush()

    def leave(self) -> None:
        """Give the terminal back."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def _is_worth_a_line(self, standing: RunProgress) -> bool:
        """Whether a twentieth of the items is done since the last line, or all are.

        An outage is worth one line too, when it begins.
        """
        began = bool(standing.away) and not self._was_away
        self._was_away = bool(standing.away)
        if began:
            return True
        if standing.done == self._said or not standing.done:
            return False
        every = max(1, -(-standing.of // _LINES))
        return standing.done - max(0, self._said) >= every or standing.done == standing.of

    def _draw(self, standing: RunProgress) -> None:
        bar, task = self._bar or self._new_bar(standing)
        self._bar = (bar, task)
        bar.update(task, completed=standing.done, said=details_of(standing))

    def _new_bar(self, standing: RunProgress) -> tuple[Progress, TaskID]:
        from rich.console import Console  # noqa: PLC0415 - heavy
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - as above

        bar = Progress(
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[said]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar, bar.add_task("", total=max(1, standing.of), said="")


def line_of(standing: RunProgress) -> str:
    """A run's standing in one line."""
    details = details_of(standing)
    return f"{standing.done}/{standing.of} items" + (f", {details}" if details else "")


def details_of(standing: RunProgress) -> str:
    """What a bar does not show: failures, rates, money and time left."""
    parts = []
    if standing.away:
        parts.append(standing.away)
    if standing.failed:
        parts.append(f"{standing.failed} failed")
    parts += [
        f"{model} {rate_of(count, standing.seconds)}"
        for model, count in sorted(standing.per_model.items())
    ]
    if standing.spent_usd or standing.budget_usd is not None:
        of = f" of {standing.budget_usd:.2f}" if standing.budget_usd is not None else ""
        parts.append(f"{standing.spent_usd:.4f}{of} USD")
    if standing.seconds_left is not None and standing.done < standing.of:
        parts.append(f"about {duration(standing.seconds_left)} left")
    return ", ".join(parts)


def rate_of(count: int, seconds: float) -> str:
    """So many in so much time, by the second or else by the minute."""
    by_second = count / seconds if seconds else 0.0
    return f"{by_second:.1f}/s" if by_second >= 1 else f"{by_second * _MINUTE:.1f}/min"


def duration(seconds: float) -> str:
    """A time as people say it."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
