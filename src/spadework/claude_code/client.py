"""The `claude` program: where it is, its version, and what it says of a server entry."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.claude_paths import CONFIG_DIR_VARIABLE
from spadework.claude_code.server_entries import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

NEWEST_KNOWN = "2.1.330"
"""The newest version that Spadework was tried with."""
OLDEST_KNOWN = "2.1.197"

_SECONDS = 15.0
_WORD_SECONDS = 60
_NUMBER = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")
_STATUS = re.compile(r"^[^\S\n]*+Status:[^\S\n]*+(.+)$", re.MULTILINE)
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
    found = _NUMBER.search(told.decode(errors="replace"))
    return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class ClientWord:
    """What the client says of the entry; `status` is its own word, such as "✔ Connected"."""

    version: str
    status: str

    @property
    def connected(self) -> bool:
        """Whether it has connected."""
        return "Connected" in self.status


def client_word(entry: Mapping[str, Any], environ: Mapping[str, str]) -> ClientWord | None:
    """Let the real client connect to the entry, in a config folder of its own that is removed.

    Its own files are left alone: at each start it may write them anew. Nothing of the user's
    login is there, and none is needed.

    Returns:
        What it says; None if the `claude` command is not on PATH.
    """
    program = shutil.which("claude", path=environ.get("PATH"))
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="spadework-setup-") as folder:
        file = Path(folder) / ".claude.json"
        file.write_text(json.dumps({"mcpServers": {NAME: entry}}), encoding="utf-8")
        alone = dict(environ) | {
            CONFIG_DIR_VARIABLE: folder,
            "XDG_CACHE_HOME": folder,
            **_QUIET,
        }
        version = _said([program, "--version"], folder, alone)
        told = _said([program, "mcp", "get", NAME], folder, alone)
    status = _STATUS.search(told)
    number = _NUMBER.search(version)
    return ClientWord(number[0] if number else "", status[1].strip() if status else "no status")


def _said(command: list[str], folder: str, environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the client's own command
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WORD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") + os.linesep + done.stderr.decode(errors="replace")
