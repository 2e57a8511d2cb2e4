"""Lists the items of a job and asks one question of each, several at once.

A failed item does not affect others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.checks.prompt_injection import is_warning
from spadework.engine.batch.table import BatchItem, BatchProgress, Row, Table
from spadework.engine.job import Answer, Job, Listener, Outcome
from spadework.engine.job_inputs import in_reading_thread, localized, roots_of, within_roots
from spadework.engine.patience import Outages
from spadework.errors import (
    ArgumentError,
    ConfigError,
    DaemonError,
    ReferenceRefused,
    SpadeworkError,
)
from spadework.references.reader import list_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from spadework.config.models import Config
    from spadework.engine.batch.table import EachJob
    from spadework.engine.job import Session
    from spadework.references.material import LeftOut
    from spadework.references.reader import Listing

_NAME_LENGTH = 60
_SECONDS_TO_LIST = 120.0


@dataclass(frozen=True, slots=True)
class Items:
    """What is asked about, the files that are never read, and the folders that it all lies in."""

    items: tuple[BatchItem, ...]
    left_out: tuple[LeftOut, ...] = ()
    roots: tuple[Path, ...] = ()


async def items_of(job: EachJob, session: Session, config: Config) -> Items:
    """List a job's items.

    Raises:
        ArgumentError: there are none, or both files and texts are given.
        ReferenceRefused: a reference may not be read or stands for nothing.
    """
    if bool(job.files) == bool(job.items):
        what = "both files and items are given" if job.files else "there is nothing to ask about"
        raise ArgumentError(what, hint="give `files`, or `items` with the texts themselves")
    most = config.each.max_items
    if job.items:
        if len(job.items) > most:
            raise ArgumentError(
                f"{len(job.items):,} items are more than {most:,}",
                hint="ask in parts, or raise each.max_items in the config",
            )
        texts = enumerate(job.items, 1)
        return Items(tuple(BatchItem(number, _short(text), text=text) for number, text in texts))

    async def list_them(session: Session) -> Listing:
        deadline = time.monotonic() + _SECONDS_TO_LIST
        with localized(session, job.files) as references:
            return await in_reading_thread(
                session, deadline, list_files, references, roots_of(session, config), most
            )

    listing, session = await within_roots(session, list_them)
    files = enumerate(listing.references, 1)
    items = tuple(BatchItem(number, path, reference=path) for number, path in files)
    return Items(items, listing.left_out, session.roots)


def _short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _NAME_LENGTH else line[: _NAME_LENGTH - 1] + "…"


Delegate = Callable[[Job, Listener], Awaitable[Outcome]]
Hear = Callable[[BatchProgress], None]

# These are wrong for every item alike: the first one ends it all.
_OF_ALL = (ArgumentError, ConfigError, DaemonError)


async def ask_each(
    delegate: Delegate,
    job: EachJob,
    items: Sequence[BatchItem],
    left_out: Sequence[LeftOut] = (),
    *,
    at_once: int,
    hear: Hear,
) -> Table:
    """Ask about every item. Cancelling the task stops the models; what was answered is kept.

    Args:
        delegate: does one job, by the engine's one path, and reports its progress.
        job: the question.
        items: what it is asked about.
        left_out: files that are not asked about, for the table.
        at_once: how many wait or run at once; the queue gives them their slots.
        hear: called after each item; must not block.

    Raises:
        ArgumentError: the tool or its arguments are wrong.
        ConfigError: a model's backend is not configured.
        DaemonError: the daemon ended.
    """
    started = time.monotonic()
    rows: dict[int, Row] = {}
    counts = _Counts()
    pending = iter(items)
    hear(BatchProgress(0, len(items)))

    def report() -> None:
        seconds = time.monotonic() - started
        hear(counts.step(len(items), seconds, outages.current))

    outages = Outages(report)

    async def work() -> None:
        for item in pending:
            with outages.listener() as listener:
                rows[item.number] = row = await _row(delegate, job, item, listener)
            counts.add(row)
            report()

    workers = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    ordered = tuple(rows[item.number] for item in items)
    return Table(ordered, tuple(left_out), time.monotonic() - started)


async def _row(delegate: Delegate, job: EachJob, item: BatchItem, listener: Listener) -> Row:
    row = Row(item.number, item.name, reference=bool(item.reference))
    try:
        outcome = await delegate(_job(job, item), listener)
    except _OF_ALL:
        raise
    except ReferenceRefused as error:  # the row names the file already
        return replace(row, error=f"{error.reason} [{error.rule}]" if error.reason else str(error))
    except SpadeworkError as error:
        return replace(row, error=str(error))
    if not isinstance(outcome, Answer):
        why = str(outcome.tries[-1]) if outcome.tries else "no model answered"
        return replace(row, error=why, bytes_read=outcome.figures.bytes_read)
    return replace(
        row,
        answer=outcome.text if outcome.value is None else outcome.value,
        model=outcome.model,
        confidence=outcome.confidence,
        unsure=outcome.unsure,
        note=_note(outcome),
        known=outcome.known,
        bytes_read=outcome.figures.bytes_read,
    )


def _note(answer: Answer) -> str:
    """What the row says beside the answer: a warning first, else what an unsure one might be."""
    warning = next(filter(is_warning, answer.notes), "")
    return warning or (answer.notes[0] if answer.unsure and answer.notes else "")


def _job(job: EachJob, item: BatchItem) -> Job:
    return Job(
        tool=job.tool,
        arguments=job.arguments,
        texts={"item": item.text} if not item.reference else {},
        models=job.models,
        kind="batch",
        use_cache=True,
        fresh=job.fresh,
        private=job.private,
        **job.shared() | {"files": (item.reference,) if item.reference else ()},
    )


@dataclass(slots=True)
class _Counts:
    """How far it is, kept as rows come: counting them all at each would cost by the square."""

    done: int = 0
    failed: int = 0
    asked: int = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        self.done += 1
        self.failed += row.failed
        self.asked += not row.known

    def step(self, of: int, seconds: float, away: str) -> BatchProgress:
        """Say how far it is; the time left by what was asked anew: the rest costs nothing."""
        left = seconds / self.asked * (of - self.done) if self.asked else None
        return BatchProgress(self.done, of, self.failed, left, away=away)
