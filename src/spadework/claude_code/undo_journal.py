"""What `setup` and `agents` did, step by step, so that it can be taken back to the byte.

The journal is in the data folder, with a copy of each file as it was, readable by its owner alone.
A file that nobody has changed since gets its bytes back. In a client's file that was changed since,
only what is ours is taken out; an agent's file that was changed since is left alone.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
from spadework.errors import ArgumentError, ConfigError
from spadework.shim.file_lock import try_lock
from spadework.util.atomic_files import replace_file
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Command = Literal["setup", "agents"]

OURS = "spadework"
"""The client of a step that wrote a file of our own: the config."""

_KEPT = 50
"""So many changes of agents can be undone; older ones are forgotten."""
_PRIVATE = 0o700
_WAIT_SECONDS = 60.0
_STEP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file before and after; `before` is None for a file that is new."""

    path: Path
    before: bytes | None
    after: bytes


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One file that was changed.

    `before` and `after` are SHA-256 digests, None where there was no file. `edit` is None where
    the file was written whole, as the config is. `made` are the folders that were made for it.
    Steps of `agents` with the same number `change` are taken back together.
    """

    client: str
    scope: str
    file: Path
    before: str | None
    after: str | None
    edit: Edit | None = None
    found: FileSnapshot | None = None
    made: tuple[str, ...] = ()
    command: Command = "setup"
    change: int = 0


class UndoJournal:
    """The steps that were done and not yet taken back, oldest first."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or data_folder()) / "undo"
        self._file = self._folder / "journal.json"
        self._before = self._folder / "before"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only command of this user that changes anything.

        Raises:
            ConfigError: another one takes too long.
            OSError: the folder cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        deadline = time.monotonic() + _WAIT_SECONDS
        while (lock := try_lock(str(self._folder / "lock"))) is None:
            if time.monotonic() > deadline:
                raise ConfigError(
                    "another `spadework setup` or `agents` is at work", hint="try again later"
                )
            time.sleep(_STEP_SECONDS)
        try:
            yield
        finally:
            os.close(lock)

    def steps(self, command: Command = "setup") -> list[JournalStep]:
        """Read the steps of a command.

        Raises:
            ConfigError: the journal cannot be read.
        """
        return [step for step in self._steps() if step.command == command]

    def _steps(self) -> list[JournalStep]:
        if not self._file.exists():
            return []
        try:
            return [_step(told) for told in json.loads(self._file.read_text("utf-8"))["steps"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{self._file}: cannot be read as the undo journal: {error}",
                hint="delete that file; `claude mcp remove spadework` takes the server out",
            ) from None

    def do(self, edit: Edit, client: str, scope: str, *, shared: bool) -> None:
        """Make a change and remember it; nothing happens where it is made already.

        Raises:
            ConfigError: the file cannot be read, changed or written; then it is as it was.
        """
        earlier = self._steps()
        made = missing_folders(edit.file)

        def change(content: Content) -> bytes | None:
            if is_done(content.text, edit):
                self._write(earlier)  # an attempt before this one may have been noted
                return content.raw
            new = content.encoded(changed(content.text, edit))
            self._keep(content)
            step = JournalStep(
                client, scope, edit.file, content.digest, digest(new), edit,
                look(content.text, edit), made
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
        self._write([*self._steps(), step])

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
        self._write([one for one in self._steps() if one != step])
        return told

    def preview(self, step: JournalStep) -> str:
        """Say what `undo` would do to the file as it is now.

        Raises:
            ConfigError: the file cannot be read.
        """
        return self._as_before(step, read_content(step.file))[1]

    def replace_files(self, changes: Sequence[FileChange]) -> None:
        """Write agents' files, as one change.

        Raises:
            ArgumentError: a file has changed since the change was worked out; then nothing is
                written.
            OSError: a file cannot be written; those before it are written and can be undone.
        """
        with self.alone():
            for change in changes:
                if _content(change.path) != change.before:
                    raise ArgumentError(
                        f"{change.path} has just been changed by another program",
                        hint="look at it and try again",
                    )
            earlier = self._steps()
            number = max((step.change for step in earlier), default=0) + 1
            steps = [_step_of(change, number) for change in changes]
            for change in changes:
                self._keep(Content(change.before, ""))
            # Before the files themselves: whatever happens in between, it can be taken back.
            kept = [one for one in earlier if not 0 < one.change <= number - _KEPT]
            self._write([*kept, *steps])
            for change in changes:
                replace_file(change.path, change.after)

    def undo_change(self) -> list[Path]:
        """Take back the last change of agents' files, byte for byte.

        Returns:
            The files that were restored, or deleted where the change had made them.

        Raises:
            ArgumentError: there is nothing to undo, or a file has changed since; then nothing is
                written, and the hint names the copies of what was there before.
            ConfigError: a copy is gone; nothing is written.
        """
        with self.alone():
            steps = self.steps("agents")
            if not steps:
                raise ArgumentError("no change of an agent is recorded here: nothing to undo")
            last = [step for step in steps if step.change == steps[-1].change]
            now = {step.file: digest(_content(step.file)) for step in last}
            changed = [step for step in last if now[step.file] not in {step.before, step.after}]
            if changed:
                kept = [str(self._before / one.before) for one in changed if one.before]
                raise ArgumentError(
                    f"{changed[0].file} has changed since: nothing is undone",
                    hint=f"what was there before is in {', '.join(kept)}"
                    if kept
                    else "it was new then: delete it yourself if you do not want it",
                )
            before = {
                step.file: self._copy(step.before) if step.before else None
                for step in last
                if now[step.file] != step.before
            }
            for step in last:
                if step.before and before.get(step.file, b"") is None:
                    raise ConfigError(f"{self._before / step.before}: the copy is gone")
            for path, content in before.items():
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    replace_file(path, content)
            self._write([step for step in self._steps() if step not in last])
        return [step.file for step in last]

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
            raw = (self._before / name).read_bytes()
            return raw if digest(raw) == name else None
        return None

    def _keep(self, content: Content) -> None:
        if content.raw is not None and content.digest:
            self._before.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
            replace_file(self._before / content.digest, content.raw)

    def _write(self, steps: list[JournalStep]) -> None:
        """Write the record, and drop the copies that no step needs."""
        if not steps:
            self._file.unlink(missing_ok=True)
        else:
            told = {"version": 1, "steps": [_told(step) for step in steps]}
            replace_file(self._file, json.dumps(told, indent=2).encode())
        needed = {step.before for step in steps}
        for copy in self._before.iterdir() if self._before.is_dir() else ():
            if copy.name not in needed:
                copy.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _step_of(change: FileChange, number: int) -> JournalStep:
    return JournalStep(
        client="claude-code",
        scope="",
        file=Path(os.path.abspath(change.path)),  # noqa: PTH100 - a link stays a link
        before=digest(change.before),
        after=digest(change.after),
        command="agents",
        change=number,
    )


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
        told["command"],
        told["change"],
    )
