"""How long `spadework mcp` takes to start, and what it weighs, beside published peers.

Each peer is installed at a pinned version (kept between runs), and all are started as a client
starts a stdio server, before the same fake model server: from the making of the process to the
answer of tools/list, in rotation, so that noise hits all alike. Targets: with the daemon running
(warm) at most a sixth of the best peer's median; the first ever start, which starts the daemon
too, no slower than the best Python peer's; the shim at most 14 MiB.

    python benchmarks/startup.py [--runs N] [--without-peers] [--markdown]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fake_server import MODEL, running
from handshake import Start, StartFailed, resident_kibibytes, start
from peers import PEERS, PYPI, InstallFailed, Peer, install

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RUNS = 15
MOST_OF_BEST_PEER = 1 / 6
MOST_SHIM_MIB = 14.0

SPADEWORK = str(Path(sys.executable).parent / "spadework")
WARM = "spadework mcp"
FIRST = "spadework mcp, first ever start"
IN_PROCESS = "spadework mcp --in-process"
CONFIG = """
[backends.fake]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "benchmarks"
models = ["fake/{model}"]
"""
HEADER = ("server", "median ms", "least", "most", "MiB", "tools", "bytes of tools/list")


@dataclass(slots=True)
class Contestant:
    """One that is measured: how to start it once, and what the starts showed."""

    title: str
    start: Callable[[], Start] | None
    starts: list[Start] = field(default_factory=list)
    failure: str = ""
    is_python_peer: bool = False
    is_peer: bool = False

    @property
    def milliseconds(self) -> float:
        """The median; infinite where it failed."""
        return statistics.median(one.milliseconds for one in self.starts or [FAILED])

    @property
    def mebibytes(self) -> float:
        """The median."""
        return statistics.median(one.kibibytes for one in self.starts or [FAILED]) / 1024

    def take_turn(self, *, counts: bool) -> None:
        """Start once; who fails once is out, with the reason."""
        if self.failure or self.start is None:
            return
        try:
            measured = self.start()
        except StartFailed as error:
            self.failure = str(error)
            self.starts.clear()
            return
        if counts:
            self.starts.append(measured)

    def row(self) -> tuple[str, ...]:
        """The cells of its line in the table."""
        if not self.starts:
            return (self.title, f"failed: {self.failure}")
        times = [one.milliseconds for one in self.starts]
        # The process that starts the daemon is for a moment that daemon's parent.
        weight = "" if self.title == FIRST else f"{self.mebibytes:.1f}"
        last = self.starts[-1]
        shown = (f"{self.milliseconds:.0f}", f"{min(times):.0f}", f"{max(times):.0f}", weight)
        return (self.title, *shown, str(last.tools), str(last.listed_bytes))


FAILED = Start(float("inf"), 0, 0, 0)


class Home:
    """A scratch home with folders of its own for all that a server keeps.

    Nothing of the user's environment but the path of programs goes in: no keys reach the peers.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="startup-"))
        self._runtime = self.folder / "run"
        self._runtime.mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self._runtime),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "CLAUDE_PROJECT_DIR": str(self.folder),
            **environment,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_daemon()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command: list[str]) -> Start:
        """Start a server here and list its tools."""
        return start(command, self.environment, self.folder)

    def daemon(self) -> int | None:
        """Return the process id of the daemon that serves this home, if one does."""
        for lock in self._runtime.glob("spadework/*.lock"):
            text = lock.read_text(encoding="utf-8").split()
            if text and text[0].isdigit() and resident_kibibytes(int(text[0])):
                return int(text[0])
        return None

    def stop_daemon(self) -> None:
        """End the daemon of this home: as a user does, and by force if that is not enough."""
        if self.daemon() is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [SPADEWORK, "daemon", "stop"],
                env=self.environment,
                capture_output=True,
                check=False,
                timeout=20,
            )
        if (left := self.daemon()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)


def own_home(url: str) -> Home:
    """Return a home with a config for the fake server."""
    home = Home({})
    config = home.folder / "config.toml"
    config.write_text(CONFIG.format(url=url, model=MODEL), encoding="utf-8")
    home.environment |= {
        "SPADEWORK_CONFIG": str(config),
        "SPADEWORK_DATA": str(home.folder / "data"),
    }
    return home


def first_ever_start(url: str) -> Start:
    """Start the shim where there is neither daemon, nor ledger, nor any folder of ours."""
    with own_home(url) as home:
        return home.start([SPADEWORK, "mcp"])


def own_contestants(home: Home, url: str) -> list[Contestant]:
    """Our ways to start."""
    return [
        Contestant(WARM, lambda: home.start([SPADEWORK, "mcp"])),
        Contestant(FIRST, lambda: first_ever_start(url)),
        Contestant(IN_PROCESS, lambda: home.start([SPADEWORK, "mcp", "--in-process"])),
    ]


def peer_contestant(peer: Peer, url: str, stack: contextlib.ExitStack) -> Contestant:
    """Install a peer; one that cannot be installed stays in the table, as failed."""
    contestant = Contestant(peer.title, None, is_python_peer=peer.registry == PYPI, is_peer=True)
    try:
        install(peer)
        command = peer.command()
    except InstallFailed as error:
        contestant.failure = str(error)
        return contestant
    home = stack.enter_context(Home(peer.environment(url)))
    contestant.start = lambda: home.start(command)
    return contestant


def measure(contestants: list[Contestant], runs: int) -> None:
    """Start each in turn; a first round, which fills caches, does not count."""
    for number in range(runs + 1):
        for contestant in contestants:
            contestant.take_turn(counts=number > 0)


def print_table(contestants: list[Contestant], *, as_markdown: bool) -> None:
    """Print a line for each, ours first."""
    rows = [HEADER, *(contestant.row() for contestant in contestants)]
    if as_markdown:
        lines = ["| " + " | ".join(row + ("",) * (len(HEADER) - len(row))) + " |" for row in rows]
        lines.insert(1, "|---|" + "---:|" * (len(HEADER) - 1))
    else:
        first = max(len(row[0]) for row in rows)
        widths = [len(name) + 2 for name in HEADER[1:]]
        lines = []
        for title, *cells in rows:
            shown = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
            lines.append(f"{title:<{first}}{shown}")
    print("\n".join(lines))


def print_targets(contestants: list[Contestant]) -> None:
    """Print each target with its ratio, and whether it is met."""
    by_title = {contestant.title: contestant for contestant in contestants}
    warm, first = by_title[WARM], by_title[FIRST]
    peers = [one for one in contestants if one.is_peer and one.starts]
    if peers:
        best = min(peers, key=lambda one: one.milliseconds)
        ratio = warm.milliseconds / best.milliseconds
        _print_target(
            f"warm, of the best peer's time ({best.title})",
            f"{ratio:.3f}",
            f"{MOST_OF_BEST_PEER:.3f}",
            is_met=ratio <= MOST_OF_BEST_PEER,
        )
    if python_peers := [one for one in peers if one.is_python_peer]:
        best = min(python_peers, key=lambda one: one.milliseconds)
        ratio = first.milliseconds / best.milliseconds
        _print_target(
            f"first ever start, of the best Python peer's ({best.title})",
            f"{ratio:.2f}",
            "1.00",
            is_met=ratio <= 1,
        )
    _print_target(
        "memory of the shim, MiB",
        f"{warm.mebibytes:.1f}",
        f"{MOST_SHIM_MIB:g}",
        is_met=0 < warm.mebibytes <= MOST_SHIM_MIB,
    )


def _print_target(what: str, measured: str, most: str, *, is_met: bool) -> None:
    print(f"- {what}: {measured}; target: at most {most}: {'met' if is_met else 'missed'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help=f"starts of each ({RUNS})")
    parser.add_argument("--without-peers", action="store_true", help="measure only our own")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args()


def main() -> None:
    """Measure and print; a missed target is told, and no failure."""
    options = _arguments()
    began = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running())
        home = stack.enter_context(own_home(url))
        contestants = own_contestants(home, url)
        if not options.without_peers:
            contestants += [peer_contestant(peer, url, stack) for peer in PEERS]
        measure(contestants, max(1, options.runs))
        daemon = home.daemon()
        daemon_mib = resident_kibibytes(daemon) / 1024 if daemon else 0.0
    print(
        f"{datetime.now(UTC):%Y-%m-%d}: {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} cores, Python {platform.python_version()}; {options.runs} starts each;"
        f" load {began:.1f} before, {os.getloadavg()[0]:.1f} after\n"
    )
    print_table(contestants, as_markdown=options.markdown)
    print(f"\n- memory of the daemon, one for all windows, MiB: {daemon_mib:.1f}")
    print_targets(contestants)


if __name__ == "__main__":
    main()
