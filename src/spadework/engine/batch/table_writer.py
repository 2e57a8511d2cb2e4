"""Writes a table atomically to a file inside the project."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.errors import ArgumentError
from spadework.references.credential_files import credential_pattern
from spadework.util.atomic_files import replace_file
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spadework.engine.batch.table import EachJob, Row, Table

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
