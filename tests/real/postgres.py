"""A real Postgres for the tests, from Debian's package or from the wheel `pgserver`."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60.0
_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED = "nobody"
_ATTEMPTS = 5

# Nothing of it outlives the tests, so nothing has to reach the disk.
_SETTINGS = {
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
    "wal_level": "minimal",
}

# The pipe is the tests' life: however they end, it closes, the server ends and its folder goes.
_WATCHED = """\
"$@" &
cat >/dev/null
kill -INT $!
wait $!
rm -rf "$FOLDER"
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server, in which any user of this machine's loopback is trusted."""

    port: int

    def url(self, database: str = "postgres") -> str:
        """The address of a database, without a password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of a transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """Make a database and give its address; it is dropped, whoever is still connected."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def programs_here() -> dict[str, Path]:
    """The folders that hold `initdb` and `postgres`, by where they come from; best first."""
    found = {}
    if debian := sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])):
        found["debian"] = debian[-1].parent
    if wheel := importlib.util.find_spec("pgserver"):
        # Not imported: it makes folders in the home as it is.
        folder = Path(str(wheel.origin)).parent / "pginstall" / "bin"
        if (folder / "initdb").exists():
            found["wheel"] = folder
    return found


@contextmanager
def postgres_server(programs: Path | None = None) -> Iterator[Postgres]:
    """Run a server of the caller's own on a free port of loopback, with its data in /tmp.

    Args:
        programs: a folder with `initdb` and `postgres`; the best one here where it is None.
    """
    if programs is None:
        found = list(programs_here().values())
        assert found, "no Postgres: apt install postgresql (the wheel pgserver has no Python 3.13)"
        programs = found[0]
    for _ in range(_ATTEMPTS):
        with _attempt(programs) as port:
            if port:
                yield Postgres(port)
                return
    raise AssertionError("another program takes each port before Postgres does")


@contextmanager
def _attempt(programs: Path) -> Iterator[int | None]:
    """Run a server; gives its port, or None if another program was faster to take that."""
    # Not tmp_path: pytest's own folders are closed to the user that the server runs as.
    with tempfile.TemporaryDirectory(
        prefix="j-postgres-", dir="/tmp", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        as_user = _hand_over(folder)
        programs = _reachable(programs, folder)
        _make_cluster(programs, folder / "data", as_user)
        port = _free_port()
        settings = [word for pair in _SETTINGS.items() for word in ("-c", "=".join(pair))]
        command = [programs / "postgres", "-D", folder / "data", "-p", str(port), *settings]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                ["sh", "-c", _WATCHED, "sh", *command],
                cwd=folder,
                env=os.environ | {"FOLDER": name},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C at the tests is no word to it.
                start_new_session=True,
                **as_user,
            )
        try:
            yield port if _answers(folder, port) else None
        finally:
            server.communicate()


def _hand_over(folder: Path) -> dict[str, Any]:
    """Give the folder to who shall run the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(_UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}


def _reachable(programs: Path, folder: Path) -> Path:
    """Copy what lies in a folder that is closed to others, as a checkout in root's home does."""
    if os.geteuid() != 0 or all(above.stat().st_mode & 0o001 for above in programs.parents):
        return programs
    wheel = programs.parents[1]
    copied = folder / "programs" / wheel.name
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, copied.with_name(part.name), symlinks=True)
    return copied / programs.relative_to(wheel)


def _make_cluster(programs: Path, data: Path, as_user: dict[str, Any]) -> None:
    subprocess.run(
        [
            *(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        cwd=data.parent,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=START_SECONDS,
        **as_user,
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _answers(folder: Path, port: int) -> bool:
    """Wait until the server says that it is ready; False if another has taken the port."""
    state = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        told = state.read_text().splitlines() if state.exists() else []
        if told[7:8] == ["ready   "] and told[3] == str(port):
            return True
        if "could not create any TCP/IP sockets" in (folder / "log").read_text():
            return False
        time.sleep(0.02)
    raise AssertionError(f"Postgres is silent:\n{(folder / 'log').read_text()}")
