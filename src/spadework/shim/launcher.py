"""Find the daemon, or start one: a lock picks the process that starts it, others wait."""

from __future__ import annotations

import os
import select
import sys
import time

from spadework.shim.client import DaemonConnection, DaemonUnavailable, connect_to_daemon
from spadework.shim.file_lock import try_lock
from spadework.shim.rendezvous import VERSION_VARIABLE, Endpoint

TYPE_CHECKING = False  # importing `typing` for it would take longer than the rest

if TYPE_CHECKING:
    from collections.abc import Mapping

READY = b"ready\n"
"""What the daemon says on its standard output once it listens."""

_SECONDS_TO_START = 30.0
_SECONDS_BETWEEN_LOOKS = 0.02
_LONGEST_LAST_WORDS = 10_000

# The version of a test is among them: a window of that version would find every daemon that it
# starts to be of an older one, and replace it for ever.
_KEPT = frozenset({
    "HOME", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
    "XDG_CONFIG_DIRS", "XDG_DATA_DIRS",
    "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT",
    "LC_MESSAGES", "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
    "SPADEWORK_CONFIG", "SPADEWORK_DATA", VERSION_VARIABLE,
    "PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "PYTHONFAULTHANDLER",
    "PYTHONDEVMODE", "PYTHONMALLOC", "PYTHONTRACEMALLOC",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH",
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT",
    "TEMP", "TMP", "USERNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "PATHEXT",
})  # fmt: skip
_KEPT_IN_ANY_CASE = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
_KEPT_BEGINNINGS = ("DYLD_", "CUDA_", "HIP_", "ROCR_", "GGML_", "OMP_", "COVERAGE_")
_SECRET_PARTS = ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "AUTH")
_PATHS = (
    "HOME", "TMPDIR", "SPADEWORK_CONFIG", "SPADEWORK_DATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip
"""By these window and daemon find the same place, the same config and the same ledger."""


def connect_or_start(place: Endpoint, role: str) -> DaemonConnection:
    """Greet the daemon; start it if none runs.

    Raises:
        DaemonUnavailable: it refuses, it does not answer, or it cannot be started.
    """
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        if met := connect_to_daemon(place, role):
            return met
        lock = _locked(place)
        if lock is not None:
            try:
                # Somebody may have started one between our look and our lock.
                if met := connect_to_daemon(place, role):
                    return met
                start(deadline - time.monotonic())
            finally:
                os.close(lock)
        elif time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if time.monotonic() > deadline:
            raise DaemonUnavailable(
                f"the daemon did not start within {_SECONDS_TO_START:g} s",
                "`spadework daemon logs` may say why; `spadework mcp --in-process` needs none",
            )


def _locked(place: Endpoint) -> int | None:
    try:
        return try_lock(place.start_lock)
    except OSError as error:
        raise DaemonUnavailable(
            f"{place.start_lock}: {error.strerror or error}", cannot_start=True
        ) from None


def start(seconds: float = _SECONDS_TO_START) -> None:
    """Start a daemon in the background; returns once it listens. The caller holds the lock.

    Raises:
        DaemonUnavailable: it died, or it did not listen in time.
    """
    import subprocess  # noqa: PLC0415 - 10 ms that only the start of a daemon costs

    # -P: no module comes from the current folder.
    command = [sys.executable, "-P", "-m", "spadework", "daemon", "run", "--background"]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=kept_environment(os.environ),
            start_new_session=True,
        )
    except OSError as error:
        raise DaemonUnavailable(f"no process can be started: {error}", cannot_start=True) from None
    if process.stdout is None:  # for the type checker: it is a pipe
        return
    with process.stdout as pipe:
        said = _until_ready(pipe.fileno(), time.monotonic() + seconds)
    if READY not in said:
        process.poll()
        raise _startup_failed(said.decode(errors="replace"))
    process.wait()  # it has left its work to a child, so that nobody needs to wait for that


def _until_ready(pipe: int, deadline: float) -> bytes:
    said = b""
    while READY not in said and len(said) < _LONGEST_LAST_WORDS:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise DaemonUnavailable(
                f"the daemon did not start within {_SECONDS_TO_START:g} s",
                "`spadework mcp --in-process` needs none",
            )
        data = os.read(pipe, 4096)
        if not data:
            break
        said += data
    return said


def _startup_failed(said: str) -> DaemonUnavailable:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    error = next((line for line in lines if line.startswith("error: ")), "")
    hint = next((line for line in lines if line.startswith("hint: ")), "")
    reason = error.removeprefix("error: ") or (lines[-1] if lines else "it said nothing")
    return DaemonUnavailable(
        f"the daemon cannot start: {reason}", hint.removeprefix("hint: "), cannot_start=True
    )


def kept_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of a window's environment the daemon gets: no keys, nothing of that window."""
    kept = {name: value for name, value in environ.items() if _is_kept(name)}
    for name in _PATHS:
        if kept.get(name):  # relative to the window's folder, which is not the daemon's
            kept[name] = os.path.abspath(os.path.expanduser(kept[name]))  # noqa: PTH100, PTH111 - pathlib is slow
    return kept


def _is_kept(name: str) -> bool:
    if name in _KEPT or name.upper() in _KEPT_IN_ANY_CASE:
        return True
    is_secret = any(part in name.upper() for part in _SECRET_PARTS)
    return name.startswith(_KEPT_BEGINNINGS) and not is_secret
