"""What setup did, step by step, so that it can be taken back to the byte.

The record lies in the data folder, with a copy of each file as it was, readable by its owner alone.
A file that nobody has changed since gets its bytes back; in one that was changed since, only what
is ours is taken out.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.client_files import Content, change_file, digest, read_content
from spadework.claude_code.file_edits import (
    MISSING,
    Edit,
    FileSnapshot,
    changed,
    is_done,
    look,
    taken_back,
)
from spadework.errors import ConfigError
from spadework.shim.file_lock import try_lock
from spadework.util.atomic_files import replace_file
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "spadework"
"""The client of a step that wrote a file of our own: the config."""

_PRIVATE = 0o700
_WAIT_SECONDS = 60.0
_STEP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One file that setup changed.

    `before` and `after` are SHA-256 digests, None where there was no file. `edit` is None where
    the file was written whole, as the config is. `made` are the folders that were made for it.
    """

    client: str
    scope: str
    file: Path
    before: str | None
    after: str | None
    edit: Edit | None = None
    found: FileSnapshot | None = None
    made: tuple[str, ...] = ()


class UndoJournal:
    """The steps that were done and not yet taken back, oldest first."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or data_folder()) / "setup"
        self._file = self._folder / "record.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only setup of this user that changes anything.

        Raises:
            ConfigError: another one takes too long.
            OSError: the folder cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        deadline = time.monotonic() + _WAIT_SECONDS
        while (lock := try_lock(str(self._folder / "lock"))) is None:
            if time.monotonic() > deadline:
                raise ConfigError("another `spadework setup` is at work", hint="try again later")
            time.sleep(_STEP_SECONDS)
        try:
            yield
        finally:
            os.close(lock)

    def steps(self) -> list[JournalStep]:
        """Read the steps.

        Raises:
            ConfigError: the record cannot be read.
        """
        if not self._file.exists():
            return []
        try:
            return [_step(told) for told in json.loads(self._file.read_text("utf-8"))["steps"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{self._file}: cannot be read as setup's record: {error}",
                hint="take the server out by hand: claude mcp remove spadework",
            ) from None

    def do(self, edit: Edit, client: str, scope: str, *, shared: bool) -> None:
        """Make a change and remember it; nothing happens where it is made already.

        Raises:
            ConfigError: the file cannot be read, changed or written; then it is as it was.
        """
        earlier = self.steps()
        made = missing_folders(edit.file)

        def change(content: Content) -> bytes | None:
            if is_done(content.text, edit):
                self._write(earlier)  # an attempt before this one may have been noted
                return content.raw
            new = content.encoded(changed(content.text, edit))
            self._keep(content)
            step = JournalStep(
                client, scope, edit.file, content.digest, digest(new), edit,
                look(content.text, edit), made,
            )  # fmt: skip
            # Before the file itself: whatever happens in between, it can be taken back.
            self._write([*earlier, step])
            return new

        try:
            change_file(edit.file, change, shared=shared)
        except ConfigError:
            self._write(earlier)
            raise

    def wrote(self, file: Path, before: bytes | None, made: tuple[str, ...] = ()) -> None:
        """Remember that a file was written whole."""
        after = read_content(file)
        self._keep(Content(before, ""))
        step = JournalStep(OURS, "user", file, digest(before), after.digest, made=made)
        self._write([*self.steps(), step])

    def undo(self, step: JournalStep) -> str:
        """Take back the newest step of a file; the record forgets it.

        Returns:
            What became of the file, in a line.

        Raises:
            ConfigError: the file cannot be read or written; the step stays in the record.
        """
        told = ""

        def change(content: Content) -> bytes | None:
            nonlocal told
            new, told = self._as_before(step, content)
            return new

        change_file(step.file, change)
        if not step.file.exists():
            for folder in step.made:
                with suppress(OSError):  # somebody else put something there
                    Path(folder).rmdir()
        self._write([one for one in self.steps() if one != step])
        return told

    def preview(self, step: JournalStep) -> str:
        """Say what `undo` would do to the file as it is now.

        Raises:
            ConfigError: the file cannot be read.
        """
        return self._as_before(step, read_content(step.file))[1]

    def _as_before(self, step: JournalStep, content: Content) -> tuple[bytes | None, str]:
        if content.digest == step.before:
            return content.raw, f"{step.file}: is as it was"
        kept = None if step.before is None else self._copy(step.before)
        if content.digest == step.after and (step.before is None or kept is not None):
            done = "removed" if kept is None else "as it was, to the byte"
            return kept, f"{step.file}: {done}"
        if step.edit is None or step.found is None:
            return content.raw, f"{step.file}: was changed since and is yours, so it stays"
        if content.raw is None:
            return None, f"{step.file}: is gone"
        text = taken_back(content.text, step.edit, step.found)
        if text == content.text:
            return content.raw, f"{step.file}: holds nothing of ours any more"
        return content.encoded(text), f"{step.file}: was changed since; only our part was taken out"

    def _copy(self, name: str) -> bytes | None:
        with suppress(FileNotFoundError):
            raw = (self._folder / "before" / name).read_bytes()
            return raw if digest(raw) == name else None
        return None

    def _keep(self, content: Content) -> None:
        if content.raw is not None and content.digest:
            folder = self._folder / "before"
            folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
            replace_file(folder / content.digest, content.raw)

    def _write(self, steps: list[JournalStep]) -> None:
        """Write the record, and drop the copies that no step needs."""
        if not steps:
            self._file.unlink(missing_ok=True)
        else:
            told = {"version": 1, "steps": [_told(step) for step in steps]}
            replace_file(self._file, json.dumps(told, indent=2).encode())
        needed = {step.before for step in steps}
        folder = self._folder / "before"
        for copy in folder.iterdir() if folder.is_dir() else ():
            if copy.name not in needed:
                copy.unlink(missing_ok=True)


def missing_folders(file: Path) -> tuple[str, ...]:
    """List the folders that must be made for a file, innermost first."""
    return tuple(str(folder) for folder in file.parents if not folder.exists())


def _told(step: JournalStep) -> dict[str, Any]:
    told = asdict(step) | {"file": str(step.file)}
    if step.edit:
        told["edit"] = asdict(step.edit) | {"file": str(step.edit.file)}
    if step.found:
        value = {} if step.found.value is MISSING else {"value": step.found.value}
        told["found"] = {"depth": step.found.depth, **value}
    return told


def _step(told: dict[str, Any]) -> JournalStep:
    edit, found = told["edit"], told["found"]
    return JournalStep(
        told["client"],
        told["scope"],
        Path(told["file"]),
        told["before"],
        told["after"],
        edit and Edit(**edit | {"file": Path(edit["file"]), "keys": tuple(edit["keys"])}),
        found and FileSnapshot(found.get("value", MISSING), found["depth"]),
        tuple(told["made"]),
    )
