"""Clients and suites that come from npm, in a folder of their own that is made once.

Node itself comes the same way, since some of them need a newer one than a machine may have.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".cache" / "node-tools"
_CPU = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x64"
_PLATFORM = f"{sys.platform}-{_CPU}"

PINS = {
    # The suite of each protocol revision: the older speaks 2025-11-25, the newer 2026-07-28.
    "conformance-2025": "npm:@modelcontextprotocol/conformance@0.1.16",
    "conformance-2026": "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@anthropic-ai/claude-code": "2.1.330",
    # The package `node` fetches its program in an install script, which npm 11 does not run.
    "node-22": f"npm:node-{_PLATFORM}@22.23.3",
}

CONFORMANCE = {
    "2025-11-25": "conformance-2025/dist/index.js",
    "2026-07-28": "conformance-2026/dist/index.js",
}
INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
CLAUDE = f"@anthropic-ai/claude-code-{_PLATFORM}/claude"


def node_program() -> Path:
    """Return the path of Node 22."""
    return node_tool("node-22/bin/node")


def node_tool(path: str) -> Path:
    """Return a file of an installed package; installs them all the first time."""
    return _node_modules() / path


def _node_modules() -> Path:
    """Install the packages unless they are there, whole and of these very versions."""
    wanted = json.dumps({"private": True, "dependencies": PINS}, indent=2)
    stamp = FOLDER / "complete"
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.is_file() and stamp.read_text() == wanted):
            shutil.rmtree(FOLDER, ignore_errors=True)
            FOLDER.mkdir()
            (FOLDER / "package.json").write_text(wanted)
            _npm_install()
            stamp.write_text(wanted)
    return FOLDER / "node_modules"


def _npm_install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is missing: these tests need Node.js 20 or newer with npm")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    # What is used here needs no install script, and which npm runs them differs by its version.
    command = [npm, "install", "--prefix", str(FOLDER), "--ignore-scripts", *quiet]
    done = subprocess.run(
        command, env=os.environ | {"CI": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"npm install failed:\n{done.stdout}{done.stderr}")
