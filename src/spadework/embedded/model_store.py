"""The models folder: what lies in it, and how a file gets there whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from spadework.embedded.model_file import DEMO_NAME, demo_model_file, name_of
from spadework.errors import EmbeddedError
from spadework.util.paths import models_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCRATCH_PREFIX = ".fetching-"
LICENCE_NAME = "LICENSE"
_LOCK_NAME = ".lock"
_SPARE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A GGUF file in the models folder; `size` is in bytes."""

    name: str
    path: Path
    size: int

    @property
    def place(self) -> str:
        """Where it lies within the models folder, such as `OWNER/REPO/FILE`."""
        return self.path.relative_to(models_folder()).as_posix()


def stored_models() -> list[StoredModel]:
    """List the models in the models folder, by place."""
    return [
        StoredModel(_stored_name(path), path, path.stat().st_size)
        for path in sorted(models_folder().rglob("*.gguf"))
        if path.is_file() and not path.name.startswith(".")
    ]


def find_stored(name: str) -> StoredModel:
    """Find a model by its name or by its place in the models folder.

    Raises:
        EmbeddedError: there is none of that name, or more than one.
    """
    models = stored_models()
    found = [model for model in models if name in {model.name, model.place}]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(model.place for model in found)
        raise EmbeddedError(
            f"more than one model is named {name!r}", hint=f"say which by its place: {places}"
        )
    known = ", ".join(model.name for model in models) or "none yet"
    raise EmbeddedError(
        f"there is no model {name!r} in {models_folder()}", hint=f"the models there: {known}"
    )


def remove_stored(model: StoredModel) -> None:
    """Delete a model's file, and the folders that this leaves empty."""
    model.path.unlink()
    (model.path.parent / LICENCE_NAME).unlink(missing_ok=True)
    for folder in model.path.parents:
        if folder == models_folder() or any(folder.iterdir()):
            return
        folder.rmdir()


@contextmanager
def one_fetch_at_a_time(out: TextIO | None) -> Iterator[Path]:
    """Hold the models folder's lock; yield a scratch folder on the same file system.

    The scratch folder is removed at the end, and what a killed fetch left behind, too.

    Args:
        out: where to say that another process is waited for.

    Raises:
        EmbeddedError: the models folder cannot be written.
    """
    import fcntl  # noqa: PLC0415 - where there is none, neither is the engine

    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK_NAME).open("w")
    except OSError as error:
        raise EmbeddedError(
            f"the models folder {folder} cannot be written: {error.strerror}",
            hint="SPADEWORK_DATA sets another data folder",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(out, "another process is fetching a model; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left_behind in folder.glob(f"{_SCRATCH_PREFIX}*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH_PREFIX, dir=folder) as scratch:
            yield folder / scratch


def require_space(needed: int) -> None:
    """Make sure that the models folder's disk has room for so many bytes and a little more.

    Raises:
        EmbeddedError: it has not.
    """
    folder = models_folder()
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise EmbeddedError(
            f"no room in {folder}: {megabytes(needed + _SPARE_BYTES)} are needed, "
            f"{megabytes(free)} are free",
            hint="make room, or set SPADEWORK_DATA to a folder on another disk",
        )


def has_digest(path: Path, sha256: str) -> bool:
    """Whether the file is there with that SHA-256 (hex)."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def megabytes(size: int) -> str:
    """Show a size in bytes as people read it."""
    return f"{size / 1_000_000:,.0f} MB"


def tell(out: TextIO | None, line: str) -> None:
    """Write a line of progress, if there is someone to read it."""
    if out is not None:
        out.write(f"{line}\n")
        out.flush()


def _stored_name(path: Path) -> str:
    return DEMO_NAME if path == demo_model_file() else name_of(path)
