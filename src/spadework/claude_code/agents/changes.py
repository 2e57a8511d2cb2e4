"""Changes of agent files: shown as a diff, written whole, recorded first so that undo is exact."""

from __future__ import annotations

import base64
import difflib
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError, SpadeworkError
from spadework.shim.file_lock import try_lock
from spadework.util.atomic_files import replace_file
from spadework.util.paths import data_folder
from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEPT = 50
"""So many changes can be undone; older records are deleted."""
_SECONDS_FOR_LOCK = 10.0
_SECONDS_BETWEEN_TRIES = 0.05


@dataclass(frozen=True, slots=True)
class AgentChange:
    """One file before and after; `before` is None for a file that is new."""

    path: Path
    before: bytes | None
    after: bytes


def diff_of(change: AgentChange) -> str:
    """Write a change as a unified diff, for a person: control characters are taken out."""
    old, new = (_lines(content) for content in (change.before, change.after))
    name = str(change.path)
    lines = difflib.unified_diff(old, new, "/dev/null" if change.before is None else name, name)
    return clean("".join(lines))[0].rstrip("\n")


def _lines(content: bytes | None) -> list[str]:
    if not content:
        return []
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = [f"{line}\n" for line in text.removesuffix("\n").split("\n")]
    if not text.endswith("\n"):
        lines[-1] += "\\ No newline at end of file\n"
    return lines


def make(changes: Sequence[AgentChange]) -> None:
    """Make changes, recorded as one for `undo`.

    Raises:
        ArgumentError: a file has changed since the change was computed; then nothing
            is written.
        OSError: a file cannot be written; those before it are written and can be undone.
    """
    with _locked() as folder:
        for change in changes:
            if _content(change.path) != change.before:
                raise ArgumentError(
                    f"{change.path} has just been changed by another program",
                    hint="look at it and try again",
                )
        _record(folder, changes)
        for change in changes:
            replace_file(change.path, change.after)


def undo() -> list[Path]:
    """Take the last change back, byte for byte.

    Returns:
        The files that were restored, or deleted where the change had made them.

    Raises:
        ArgumentError: there is nothing to undo, or a file has changed since; then nothing is
            written, and the hint names the copies of what stood there before.
    """
    with _locked() as folder:
        records = _records(folder)
        if not records:
            raise ArgumentError("no change of an agent is recorded here: nothing to undo")
        record = records[-1]
        changes = _read(record)
        changed = [one for one in changes if _content(one.path) not in {one.after, one.before}]
        if changed:
            copies = _keep_copies(record, changed)
            raise ArgumentError(
                f"{changed[0].path} has changed since: nothing is undone",
                hint=f"what stood there before is in {', '.join(map(str, copies))}"
                if copies
                else "it was new then: delete it yourself if you do not want it",
            )
        for change in changes:
            _restore(change)
        record.unlink()
    return [change.path for change in changes]


def _restore(change: AgentChange) -> None:
    if change.before is None:
        change.path.unlink(missing_ok=True)
    elif _content(change.path) != change.before:
        replace_file(change.path, change.before)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _record(folder: Path, changes: Sequence[AgentChange]) -> None:
    """Keep both sides of every file; before anything is written, so that a crash loses nothing."""
    records = _records(folder)
    number = int(records[-1].stem) + 1 if records else 1
    told = [
        {
            "path": os.path.abspath(change.path),  # noqa: PTH100 - a link stays a link
            "before": None if change.before is None else _packed(change.before),
            "after": _packed(change.after),
        }
        for change in changes
    ]
    replace_file(folder / f"{number:08}.json", json.dumps(told).encode())
    for old in records[: max(0, len(records) + 1 - _KEPT)]:
        old.unlink()


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _records(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.json"))


def _read(record: Path) -> list[AgentChange]:
    try:
        return [
            AgentChange(
                Path(one["path"]),
                None if one["before"] is None else base64.b64decode(one["before"]),
                base64.b64decode(one["after"]),
            )
            for one in json.loads(record.read_bytes())
        ]
    except (ValueError, KeyError, TypeError):
        raise SpadeworkError(
            f"{record}: the record of the last change is broken", hint="delete that file"
        ) from None


def _keep_copies(record: Path, changes: Sequence[AgentChange]) -> list[Path]:
    copies = []
    for number, change in enumerate(changes):
        if change.before is not None:
            copy = record.with_name(f"{record.stem}-{number}-{change.path.name}")
            replace_file(copy, change.before)
            copies.append(copy)
    return copies


@contextmanager
def _locked() -> Iterator[Path]:
    """Hold the folder of records: one writer at a time."""
    folder = data_folder() / "agents-undo"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + _SECONDS_FOR_LOCK
    while (lock := try_lock(str(folder / "lock"))) is None:
        if time.monotonic() > deadline:
            raise SpadeworkError("another `spadework agents` is writing", hint="try again")
        time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        yield folder
    finally:
        os.close(lock)
