"""Spadework's own installation: the config file, the ledger that it names, the daemon."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.config.loader import load_config
from spadework.config.project_file import load_project_tools
from spadework.daemon.control import place_here
from spadework.errors import ConfigError, LedgerError, SpadeworkError
from spadework.remote.client import connect
from spadework.shim.rendezvous import is_newer, own_version
from spadework.storage.ledger import Ledger, ledger_path
from spadework.util.finding import Finding
from spadework.util.serialization import MalformedData

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spadework.config.models import Config, ToolConfig
    from spadework.util.finding import Severity

_LITTLE_ROOM = 1_000_000_000
_NO_ROOM = 50_000_000


def check_config() -> tuple[Config | None, list[Finding]]:
    """Is the config file right? None where it is not."""
    try:
        loaded = load_config()
    except ConfigError as error:
        return None, [Finding("error", "config", "", str(one), one.hint) for one in error.problems]
    config = loaded.config
    if not loaded.exists:
        return config, [
            Finding(
                "warning",
                "config",
                "",
                f"no such file: {loaded.path}; only the embedded model answers",
                "`spadework config init` looks for your servers and writes one",
            )
        ]
    told = f"{len(config.backends)} backends, {len(config.all_tools())} tools"
    return config, [Finding("ok", "config", "", f"{loaded.path}: {told}")]


def check_project(project: Path, config: Config) -> tuple[dict[str, ToolConfig], list[Finding]]:
    """Is the project's own file right, if there is one? Returns the tools that it adds."""
    try:
        tools = load_project_tools(project, config)
    except ConfigError as error:
        return {}, [Finding("error", "project", "", str(one), one.hint) for one in error.problems]
    names = ", ".join(tools)
    return tools, [Finding("ok", "project", "", f".spadework.toml adds {names}")] if tools else []


def check_ledger(config: Config) -> list[Finding]:
    """Can the ledger be written, how large is it, and is there room on the disk?"""
    path = ledger_path(config)
    folder = next(one for one in path.parents if one.exists())
    findings = [_writable(path, folder)]
    free = shutil.disk_usage(folder).free
    text = f"{_size(free)} free at {folder}"
    if free < _LITTLE_ROOM:
        severity: Severity = "error" if free < _NO_ROOM else "warning"
        return [
            *findings,
            Finding(severity, "disk", "", text, "free some: answers and ledger need room"),
        ]
    return [*findings, Finding("ok", "disk", "", text)]


def _writable(path: Path, folder: Path) -> Finding:
    if not path.exists():
        if os.access(folder, os.W_OK | os.X_OK):
            return Finding(
                "ok", "ledger", "", f"{path}: not there yet, the first delegation makes it"
            )
        cure = "fix the folder's permissions, or set ledger.path to another file"
        return Finding("error", "ledger", "", f"{path}: {folder} cannot be written to", cure)
    try:
        ledger = Ledger(path)
        try:
            rows = ledger.check()
        finally:
            ledger.close()
    except LedgerError as error:
        return Finding("error", "ledger", "", str(error), error.hint)
    files = (path, path.with_name(f"{path.name}-wal"))
    size = sum(file.stat().st_size for file in files if file.exists())
    return Finding("ok", "ledger", "", f"{path}: {rows} delegations, {_size(size)}")


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


STOP = "`spadework daemon stop` ends it; the next window starts a new one"


async def describe() -> Mapping[str, Any] | None:
    """Ask the daemon what it is; None where none runs.

    Raises:
        DaemonError: it does not answer, or has no usable socket path.
    """

    def read(result: object) -> dict[str, Any]:
        if not isinstance(result, dict):
            raise MalformedData("expected the answer to be an object")
        return result

    line = await connect(place_here())
    return None if line is None else await line.call({"call": "describe"}, read)


@dataclass(frozen=True, slots=True)
class DaemonSnapshot:
    """What was there before the handshake, which starts a daemon: one of that version, or none."""

    ran: bool
    version: str = ""


async def look_before() -> DaemonSnapshot:
    """Look for a daemon; `check_daemon` reports what is wrong."""
    try:
        told = await describe()
    except SpadeworkError:
        return DaemonSnapshot(ran=True)
    return (
        DaemonSnapshot(ran=False)
        if told is None
        else DaemonSnapshot(ran=True, version=str(told["version"]))
    )


async def check_daemon(before: DaemonSnapshot) -> Finding:
    """Does a daemon run, is it of this version, and does it use the config as it is now?"""
    if before.version and is_newer(own_version(), than=before.version):
        # Our own questions have told it so: it may be gone already.
        text = f"version {before.version}: older than this one ({own_version()}); it ends when idle"
        return Finding("warning", "daemon", "", text, STOP)
    try:
        told = await describe()
    except SpadeworkError as error:
        return Finding("error", "daemon", "", str(error), error.hint)
    if told is None:
        return Finding("ok", "daemon", "", "none runs; the first window starts one")
    version = str(told.get("version"))
    text = f"version {version}, process {told.get('pid')}"
    if told.get("superseded"):
        return Finding(
            "warning", "daemon", "", f"{text}: it ends when idle, a newer one is here", STOP
        )
    if problem := told.get("problem"):
        cure = "`spadework config check` says everything that is wrong"
        return Finding(
            "error", "daemon", "", f"{text}: the changed config is not in use: {problem}", cure
        )
    windows = sum(one.get("role") == "mcp" for one in told.get("connections") or () if one)
    began = "" if before.ran else "; started by this handshake, it stops when idle"
    return Finding("ok", "daemon", "", f"{text}, windows: {windows}{began}")
