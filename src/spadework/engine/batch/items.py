"""Turns a job's references and texts into items."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.engine.batch.table import BatchItem
from spadework.engine.root_scope import in_reading_thread, localized, roots_of, within_roots
from spadework.errors import ArgumentError
from spadework.references.reader import list_files

if TYPE_CHECKING:
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
