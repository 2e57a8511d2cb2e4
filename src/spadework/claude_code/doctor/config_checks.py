"""The config file, and the ledger that it names."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from spadework.config.loader import load_config, load_project_tools
from spadework.errors import ConfigError, LedgerError
from spadework.storage.ledger import Ledger, ledger_path
from spadework.util.finding import Finding

if TYPE_CHECKING:
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
