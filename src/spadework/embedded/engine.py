"""The embedded engine: starts the worker at first use, watches it, ends it when it is idle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.embedded.model_file import check_engine, configured_model, threads_of, window_of
from spadework.embedded.server_process import WorkerSettings
from spadework.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from spadework.config.models import EmbeddedConfig
    from spadework.embedded.model_file import EmbeddedModel

_SOCKET_NAME = "engine.sock"  # the server takes a host for a unix socket only if it ends so
_LONGEST_SOCKET_PATH = 103  # bytes; macOS holds 104 with the closing NUL, Linux 108
_LOG_NAME = "log"
_PRIVATE = 0o700
_POLL_SECONDS = 0.02
_DYING_SECONDS = 0.5
_LOG_STAMP = re.compile(r"^[\d.]+ [A-Z] +")


@dataclass(frozen=True, slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / _SOCKET_NAME

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """Kill it (its destructor could hang), reap it, remove its folder."""
        self.process.kill()
        with self.process:  # closes our end of its stdin, then waits
            pass
        shutil.rmtree(self.folder, ignore_errors=True)


class EmbeddedEngine:
    """One model in one child process, on a unix socket that only this user can reach.

    The process ends after `idle_stop` seconds in which nobody used it.
    """

    def __init__(self, config: EmbeddedConfig) -> None:
        self._config = config
        self._starting = asyncio.Lock()
        self._worker: _Worker | None = None
        self._ready = False
        self._users = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    @property
    def model(self) -> EmbeddedModel:
        """The model that the config asks for."""
        return configured_model(self._config)

    @property
    def running(self) -> bool:
        """Whether the model is loaded and its worker alive."""
        return self._ready and self._worker is not None and self._worker.alive

    def window(self) -> tuple[int, str]:
        """Return the window of each request in tokens, and where it was learnt.

        Raises:
            EmbeddedError: the engine is not installed, or the model file is missing or broken.
        """
        check_engine()
        return window_of(self.model, self._config)

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Path]:
        """Use the server: yield its socket, and keep it from ending for want of work meanwhile.

        Raises:
            EmbeddedError: as `start`.
        """
        self._users += 1
        self._unset_alarm()
        try:
            yield await self.start()
        finally:
            self._users -= 1
            self._set_alarm()

    async def start(self) -> Path:
        """Return the server's socket, once the model is loaded. Starts the worker if none runs.

        Whoever comes while it starts waits for that one start. `used` is for those who ask the
        server something.

        Raises:
            EmbeddedError: the engine is not installed, the model file is missing or broken, or
                the worker died or took longer than `start_timeout`.
        """
        async with self._starting:
            if self._worker is not None and self.running:
                return self._worker.socket
            await self._end_worker()
            worker = self._worker = _launch(self.model, self.window()[0], self._config)
            try:
                await self._wait_until_ready(worker)
            except BaseException:
                await self._end_worker()
                raise
            self._ready = True
            return worker.socket

    async def stop(self) -> None:
        """End the worker, also one that is still starting. Does nothing if there is none."""
        self._unset_alarm()
        await self._end_worker()
        if self._resting is not None:
            await asyncio.wait([self._resting])

    def _set_alarm(self) -> None:
        """Once nobody uses the worker: let it end after `idle_stop` seconds."""
        seconds = self._config.idle_stop
        if seconds and not self._users and self._worker is not None:
            self._unset_alarm()
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._rest)

    def _unset_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _rest(self) -> None:
        self._alarm = None
        self._resting = asyncio.ensure_future(self._end_unless_used())

    async def _end_unless_used(self) -> None:
        # Who comes while the worker ends waits for the lock, and then starts another.
        async with self._starting:
            if not self._users:
                await self._end_worker()

    async def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        self._ready = False
        if worker is not None:
            await asyncio.to_thread(worker.end)

    async def settle(self) -> None:
        """After a broken connection: wait for a worker that is dying to be dead.

        Its connections close a moment before it counts as ended; whoever asks again within that
        moment would be sent to it once more.
        """
        if self._worker is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._worker.process.wait, _DYING_SECONDS)

    async def _wait_until_ready(self, worker: _Worker) -> None:
        seconds = self._config.start_timeout
        try:
            async with asyncio.timeout(seconds):
                while not await _answers(worker.socket):
                    if self._worker is not worker:
                        raise EmbeddedError("the embedded engine was stopped while it started")
                    if not worker.alive:
                        raise _load_error(self.model, worker)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise EmbeddedError(
                f"the embedded engine did not load {self.model.path} within {seconds:g} s",
                hint="take a smaller model or raise `embedded.start_timeout`",
            ) from error


def _launch(model: EmbeddedModel, window: int, config: EmbeddedConfig) -> _Worker:
    folder = _private_folder()
    settings = WorkerSettings(
        model=str(model.path),
        name=model.name,
        socket=str(folder / _SOCKET_NAME),
        context=window,
        slots=config.slots,
        threads=threads_of(config),
    )
    try:
        return _Worker(_spawn(settings, folder / _LOG_NAME), folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise EmbeddedError(f"the embedded engine's process cannot be started: {error}") from error


def _spawn(settings: WorkerSettings, log_file: Path) -> subprocess.Popen[bytes]:
    with log_file.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            # -P: the current folder may be a stranger's project; no module comes from there
            [sys.executable, "-P", "-m", "spadework.embedded.server_process", settings.to_json()],
            stdin=subprocess.PIPE,
            stdout=log,  # never ours: our stdout may be the MCP pipe
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us to handle; the worker would hang on it
        )


def _private_folder() -> Path:
    """Make a folder for the socket that nobody else can enter, with a path short enough."""
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private folder in it
        if not parent or not os.access(parent, os.W_OK | os.X_OK):
            continue
        folder = Path(tempfile.mkdtemp(prefix="spadework-", dir=parent))
        if len(os.fsencode(folder / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH and _is_private(folder):
            return folder
        folder.rmdir()
    raise EmbeddedError(
        "there is no folder for the embedded engine's socket: a private one with a path of at "
        f"most {_LONGEST_SOCKET_PATH} bytes",
        hint="set TMPDIR to a short path on a file system that keeps permissions",
    )


def _is_private(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid == os.geteuid() and status.st_mode & 0o777 == _PRIVATE


async def _answers(socket: Path) -> bool:
    """Ask `/health`: 200 once the model is loaded, 503 before.

    In plain bytes, because the one place that builds HTTP clients is a floor above.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    try:
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        return b" 200 " in await reader.readline()
    except ConnectionError:
        return False
    finally:
        writer.close()


def _load_error(model: EmbeddedModel, worker: _Worker) -> EmbeddedError:
    code = worker.process.returncode
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    reason = _reason((worker.folder / _LOG_NAME).read_text(errors="replace"))
    return EmbeddedError(
        f"the embedded engine could not load {model.path} ({how}): {reason}",
        hint="the file is corrupt or of an unsupported kind: fetch it again or take another; "
        "`embedded.context` and `embedded.slots` set how much memory it needs",
    )


def _reason(log: str) -> str:
    """Pick the line that tells why: the server names the cause first, Python names it last."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in lines:
        if _LOG_STAMP.match(line):
            return _LOG_STAMP.sub("", line)
    return lines[-1] if lines else "it said nothing"
