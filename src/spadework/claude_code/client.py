"""Finds the `claude` program and its version."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NEWEST_KNOWN = "2.1.330"
"""The newest version that Spadework was tried with."""
OLDEST_KNOWN = "2.1.197"

_SECONDS = 15.0
_INSTALLED = (".local/bin/claude", ".claude/local/claude")
# Asking for the version must not change anything.
_QUIET = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


@dataclass(frozen=True, slots=True)
class Client:
    """The client's program; `version` is empty where it does not tell."""

    program: Path
    version: str


def find_program(environ: Mapping[str, str]) -> Path | None:
    """Find the program on the path, or where its installers put it."""
    if found := shutil.which("claude", path=environ.get("PATH", "")):
        return Path(found)
    home = Path(environ.get("HOME") or Path.home())
    return next((home / name for name in _INSTALLED if os.access(home / name, os.X_OK)), None)


async def find_client(environ: Mapping[str, str]) -> Client | None:
    """Find the client and ask for its version.

    Args:
        environ: the environment in which it is looked for and asked.
    """
    program = find_program(environ)
    return None if program is None else Client(program, await _version(program, environ))


async def _version(program: Path, environ: Mapping[str, str]) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**environ, **_QUIET},
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_SECONDS):
            told, _ = await process.communicate()
    except TimeoutError:
        return ""
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    found = re.search(rb"\d{1,9}\.\d{1,9}\.\d{1,9}", told)
    return found[0].decode() if found else ""
