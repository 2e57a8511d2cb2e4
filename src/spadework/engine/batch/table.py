"""The input of a question to many items, its results, and the file that they are written to."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.config.call_arguments import CallArguments
from spadework.errors import ArgumentError
from spadework.references.credential_files import credential_pattern
from spadework.util.atomic_files import replace_file
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.references.material import LeftOut


@dataclass(frozen=True, slots=True)
class EachJob(CallArguments):
    """One question, many items: every file that `files` stand for is one.

    Args:
        tool: the tool's name.
        arguments: the tool's own arguments by name.
        items: texts; each is an item.
        models: asked instead of the tool's list, where not empty.
        fresh: ask anew what was answered before.
        private: only local models may see any of it.
    """

    tool: str
    arguments: Mapping[str, str]
    items: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    fresh: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One thing that is asked about: `name` is how the table calls it.

    `reference` is read by the engine; an item without one is the text itself.
    """

    number: int
    name: str
    reference: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one item.

    `answer` is a text, or JSON where the job has a schema; None where there is none, and then
    `error` says why in a line. `unsure` marks a label below the tool's threshold: the answer is
    then "unsure", and `note` says which label was the most probable. `known` tells that it was
    answered before and not asked anew. `note` may also warn that the answer speaks to its reader.
    `reference` tells that the item is a file's name.
    """

    number: int
    item: str
    answer: Any = None
    error: str = ""
    model: str = ""
    confidence: float | None = None
    unsure: bool = False
    note: str = ""
    known: bool = False
    bytes_read: int = 0
    reference: bool = False

    @property
    def failed(self) -> bool:
        """Whether it failed, so that the answer is missing."""
        return bool(self.error)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of all items in their order; `left_out` are files that are never read."""

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows without an answer."""
        return tuple(row for row in self.rows if row.failed)

    @property
    def unsure(self) -> tuple[Row, ...]:
        """The rows whose label is not sure enough."""
        return tuple(row for row in self.rows if row.unsure)

    @property
    def known(self) -> int:
        """How many were answered before."""
        return sum(row.known for row in self.rows)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that answered, the busiest first."""
        counts = Counter(row.model for row in self.rows if row.model)
        return tuple(model for model, _ in counts.most_common())

    @property
    def bytes_read(self) -> int:
        """What was read by reference, in bytes."""
        return sum(row.bytes_read for row in self.rows)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far it is: `failed` of the `done` have no answer; `left` is in seconds, None at first."""

    done: int
    of: int
    failed: int = 0
    left: float | None = None
    models: tuple[str, ...] = field(default=())
    away: str = ""
    """What is waited for, where a server is away."""

    def __str__(self) -> str:
        parts = [f"{self.done} of {self.of}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.away:
            parts.append(self.away)
        elif self.left is not None and self.done < self.of:
            parts.append(f"about {self.left:.0f} s left")
        return ", ".join(parts)


FOLDER = ".spadework"
"""In the project: where tables go that no file was named for."""

_COLUMNS = ("item", "answer", "error", "model", "confidence", "unsure", "note")
_SUFFIXES = (".jsonl", ".csv")


def default_name(job: EachJob) -> str:
    """Name the file of a job that named none: the same call, the same file."""
    asked = [job.tool, dict(job.arguments), job.files, job.items, job.labels, job.schema]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]
    return f"{FOLDER}/each-{digest}.jsonl"


def checked_place(save_to: str, project: Path) -> Path:
    """Return where a table may be written.

    Args:
        save_to: a path, relative to the project or absolute, that ends in .jsonl or .csv.
        project: the project folder.

    Raises:
        ArgumentError: it lies outside the project, has another ending, or holds something that
            was not written by this program.
    """
    real_project = Path(os.path.realpath(project))
    path = Path(os.path.realpath(real_project / save_to))
    if path.suffix not in _SUFFIXES:
        raise ArgumentError(
            f"save_to {save_to!r} ends in neither .jsonl nor .csv", hint="results.jsonl"
        )
    if not path.is_relative_to(real_project):
        raise ArgumentError(
            f"save_to {save_to!r} lies outside the project {real_project}",
            hint="name a file inside it",
        )
    inside = path.relative_to(real_project)
    if ".git" in map(str.lower, inside.parts) or credential_pattern(path.as_posix()):
        raise ArgumentError(
            f"save_to {save_to!r} is not an allowed path for a table", hint="results.jsonl"
        )
    if path.is_dir() or (path.exists() and not _is_ours(path)):
        raise ArgumentError(
            f"save_to {save_to!r} exists already and was not written by this tool",
            hint="choose another name; a table that was written here before is replaced",
        )
    return path


def write_table(table: Table, path: Path) -> None:
    """Write it, as CSV or as a line of JSON for each row.

    Raises:
        ArgumentError: it cannot be written.
    """
    text = _csv(table.rows) if path.suffix == ".csv" else _jsonl(table.rows)
    try:
        if path.parent.name == FOLDER:
            _hide_from_git(path.parent)
        replace_file(path, text.encode(errors="replace"))
    except OSError as error:
        raise ArgumentError(
            f"{path} cannot be written: {error.strerror or error}", hint="choose another save_to"
        ) from None


def _hide_from_git(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _jsonl(rows: Iterable[Row]) -> str:
    lines = (printable_json(_data(row)) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        data = _data(row)
        answer = data["answer"]
        if answer is not None and not isinstance(answer, str):
            data["answer"] = json.dumps(answer, ensure_ascii=False)
        writer.writerow(_harmless(data[name]) for name in _COLUMNS)
    return text.getvalue()


def _harmless(cell: Any) -> Any:
    """Keep a spreadsheet from taking a model's text for a formula."""
    if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{cell}"
    return "" if cell is None else cell


def _data(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS}


def _is_ours(path: Path) -> bool:
    """Tell a table that was written here before by its first line."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline(1_000_000)
    except OSError:
        return False
    if path.suffix == ".csv":
        return first.strip() == ",".join(_COLUMNS)
    try:
        data = json.loads(first) if first.strip() else {}
    except ValueError:
        return False
    return not first.strip() or (isinstance(data, dict) and set(data) == set(_COLUMNS))
