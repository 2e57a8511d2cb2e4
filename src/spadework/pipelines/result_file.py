"""Writes the results of a run as JSON Lines, each line atomically as its result arrives."""

from __future__ import annotations

import json
import os
import stat
import sys
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.errors import ArgumentError, PipelineError
from spadework.util.atomic_files import replace_file, replace_keeping
from spadework.util.serialization import encode

if TYPE_CHECKING:
    from spadework.pipelines.items import ItemResult
    from spadework.references.private_files import FileId


class Results:
    """Writes rows to a file, or to standard output.

    Args:
        path: the file; None for standard output.
        ordered: whether a row waits until all before it are written.
        run: the run's id, which each line names, so that a file holds one run's rows alone.
    """

    def __init__(self, path: Path | None, *, ordered: bool, run: str = "") -> None:
        self._path = path
        self._run = run
        self._ordered = ordered
        self._handle: int | None = None
        self._written: set[int] = set()
        self._waiting: dict[int, ItemResult] = {}
        self._next = 1

    def open(self, *, without_failed: bool = False) -> set[int]:
        """Open the file, cut off a line that a process that died left torn, and keep others out.

        Args:
            without_failed: the rows of items that failed are taken out of the file.

        Returns:
            The numbers of the items whose rows are in the file already.

        Raises:
            ArgumentError: the file holds something else or another run's rows, or another process
                writes it.
            PipelineError: it cannot be opened.
        """
        if self._path is None:
            sys.stdout.flush()
            self._handle = sys.stdout.fileno()
            return set()
        try:
            self._take(self._path)
            if without_failed and self._is_a_file() and self._drop_failed(self._path):
                self.close()
                self._take(self._path)
        except BaseException:
            self.close()
            raise
        return set(self._written)

    def _take(self, path: Path) -> None:
        """Open the file, lock it and read which rows are there."""
        try:
            self._handle = os.open(path, _flags(path), 0o600)
        except OSError as error:
            raise _unwritable(path, error) from None
        if self._is_a_file():
            self._lock(self._handle)
            self._written = self._read(self._handle)

    def _drop_failed(self, path: Path) -> bool:
        """Put a file without the failed rows in place; tell whether there were any."""
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not json.loads(line)["error"]]
        if len(kept) == len(lines):
            return False
        try:
            return replace_file(path, b"".join(kept))
        except OSError as error:
            raise _unwritable(path, error) from None

    def write(self, row: ItemResult) -> None:
        """Write a row, once; in order, what comes too early waits in memory.

        Raises:
            PipelineError: it cannot be written; the row is then not in the file.
        """
        if row.number in self._written:
            return
        if not self._ordered:
            self._put(row)
            return
        self._waiting[row.number] = row
        while True:
            while self._next in self._written:
                self._next += 1
            following = self._waiting.pop(self._next, None)
            if following is None:
                return
            self._put(following)

    def finish(self, value: Any, *, private: bool = False) -> None:
        """Put what came of the whole run beside the rows, whole or not at all.

        A text goes to `OUT.report.md`, anything else to `OUT.report.json`; on standard output it
        follows the rows as `{"report": …}`, marked private if a row is. What stood there before is
        kept as `.bak`.

        Raises:
            PipelineError: it cannot be written.
        """
        if self._path is None or not self._is_a_file():
            mark = {"private": True} if private else {}
            self._append(json.dumps({"report": value, **mark}, ensure_ascii=False))
            return
        place = report_place(self._path, value)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        try:
            replace_keeping(place, (text.rstrip("\n") + "\n").encode(errors="replace"))
        except OSError as error:
            raise _unwritable(place, error) from None

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None and self._path is not None:
            os.close(self._handle)
        self._handle = None

    def _put(self, row: ItemResult) -> None:
        data = {"run": self._run, **encode(row)} if self._run else encode(row)
        self._append(json.dumps(data, ensure_ascii=False))
        self._written.add(row.number)

    def _append(self, line: str) -> None:
        """Write a line; if the disk is full, what was written of it is taken back."""
        if self._handle is None:
            raise RuntimeError("the results are not open")
        data = (line + "\n").encode(errors="replace")
        begun = 0
        try:
            while begun < len(data):
                begun += os.write(self._handle, data[begun:])
        except BrokenPipeError:
            raise
        except OSError as error:
            if begun and self._is_a_file():
                os.ftruncate(self._handle, os.fstat(self._handle).st_size - begun)
            raise _unwritable(self._path, error) from None

    def _is_a_file(self) -> bool:
        return self._handle is not None and stat.S_ISREG(os.fstat(self._handle).st_mode)

    def _lock(self, handle: int) -> None:
        import fcntl  # noqa: PLC0415 - not on every system

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArgumentError(
                f"--out {self._path}: another process writes to it",
                hint="choose another file, or wait for that run to end",
            ) from None

    def _read(self, handle: int) -> set[int]:
        """Read which rows are there, and cut off a torn last line."""
        with open(handle, "rb", closefd=False) as file:
            found: set[int] = set()
            whole = 0
            for place, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    found.add(self._number(place, line))
                    whole += len(line)
                elif not found and not self._is_torn_row(line):
                    raise self._foreign(place)
        os.ftruncate(handle, whole)
        return found

    def _is_torn_row(self, line: bytes) -> bool:
        """Whether a file's only line is the beginning of one of ours."""
        begins = b'{"run": ' if self._run else b'{"number": '
        return line.startswith(begins[: len(line)])

    def _number(self, place: int, line: bytes) -> int:
        try:
            row = json.loads(line)
            number: int = row["number"]
            ours = isinstance(number, int) and {"name", "value", "error"} <= row.keys()
            run = row.get("run", self._run)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._foreign(place) from None
        if not ours:
            raise self._foreign(place)
        if self._run and run != self._run:
            raise ArgumentError(
                f"--out {self._path} holds the results of the run {run}",
                hint="choose another file, remove that one, or go on with that run: "
                f"spadework pipeline resume {run}",
            )
        return number

    def _foreign(self, place: int) -> ArgumentError:
        return ArgumentError(
            f"--out {self._path}: line {place} is not a result of a run",
            hint="choose a file that does not exist yet",
        )


def _flags(path: Path) -> int:
    """How to open it: a pipe is never opened for reading too, else its reader's end goes unseen."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        is_file = True
    return os.O_CREAT | os.O_APPEND | (os.O_RDWR if is_file else os.O_WRONLY)


def report_place(out: Path, value: Any) -> Path:
    """Where what came of the whole run goes: beside the rows."""
    base = out.name.removesuffix(".jsonl")
    return out.with_name(f"{base}.report.{'md' if isinstance(value, str) else 'json'}")


def outputs_of(out: str) -> set[FileId]:
    """The files of a run's results and reports, older ones included, by device and inode."""
    place = Path(out)
    base = escape(place.name.removesuffix(".jsonl"))
    paths = (place, *place.parent.glob(f"{base}.report.*"))
    return {found for path in paths if (found := file_id(path)) is not None}


def file_id(path: Path) -> FileId | None:
    """A file's device and inode; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _unwritable(path: Path | None, error: OSError) -> PipelineError:
    where = f"--out {path}" if path else "standard output"
    return PipelineError(
        f"{where}: {error.strerror}", hint="finished items are kept: fix this, then resume the run"
    )
