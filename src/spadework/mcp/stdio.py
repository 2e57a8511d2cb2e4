"""The MCP server over standard input and output, all in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.engine.job import Session
from spadework.mcp.jsonrpc import Traffic, messages
from spadework.mcp.mcp_server import McpConnection
from spadework.mcp.reloading_engine import ReloadingEngine
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    import io
    from collections.abc import AsyncIterator, Awaitable, Callable

    from spadework.mcp.jsonrpc import Read, Write
    from spadework.remote.line_reader import ByteSource

PROJECT_VARIABLE = "CLAUDE_PROJECT_DIR"


def run() -> None:
    """Serve one client until it closes its end, or a signal comes."""
    # SIGTERM cancels the task, so that streams are closed and rows are written on the way out.
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve_stdio())


async def _serve_stdio() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    loaded = load_config()
    async with Engine.from_config(loaded.config) as engine, _standard_streams() as (read, write):
        live = ReloadingEngine(engine, loaded.path)
        following = asyncio.create_task(live.follow())
        try:
            folder = os.environ.get(PROJECT_VARIABLE) or Path.cwd()
            await serve(live, Session(project=project_folder(Path(folder))), read, write)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await live.tasks.close()


async def serve(live: ReloadingEngine, session: Session, read: Read, write: Write) -> None:
    """Serve one connection over any pair of streams, until the client closes it.

    This is the seam between a transport and the engine: every transport calls it.
    """
    connection = McpConnection(live, session)
    watching = asyncio.create_task(live.watch(session.project, connection.tools_changed))
    try:
        await connection.server.run(read, write, connection.options())
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def project_folder(folder: Path) -> Path:
    """Return the project of a client that was started in a folder.

    Some clients start their servers in `/`, which would open the whole disk: nothing is open then
    but the config's `roots` and the folders that the client offers.
    """
    if folder != folder.parent:
        return folder
    nowhere = data_folder() / "no-project"
    with suppress(OSError):  # a folder that is not there opens nothing either
        nowhere.mkdir(parents=True, exist_ok=True)
    return nowhere


@asynccontextmanager
async def _standard_streams() -> AsyncIterator[tuple[Read, Write]]:
    """Take standard input and output for the protocol alone.

    Whatever else writes to standard output from here on goes to standard error.
    """
    wire_in, wire_out = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        reader, send = await _reader(wire_in), await _sender(wire_out)
        async with messages(reader, send, Traffic()) as streams:
            yield streams
    finally:
        for descriptor in (wire_in, wire_out):
            with suppress(OSError):  # a terminal that is shared with a shell must block again
                os.set_blocking(descriptor, True)


class _FileReader:
    """Reads a file, which is always ready, as a stream is read."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    async def read(self, n: int = -1) -> bytes:
        """Read at most so many bytes."""
        await asyncio.sleep(0)  # others want to work, too
        return self._file.read(n) or b""


async def _reader(descriptor: int) -> ByteSource:
    file = os.fdopen(descriptor, "rb", buffering=0, closefd=False)
    if not _can_be_waited_for(descriptor):
        return _FileReader(file)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


async def _sender(descriptor: int) -> Callable[[bytes], Awaitable[None]]:
    file = os.fdopen(descriptor, "wb", buffering=0, closefd=False)
    if not _can_be_waited_for(descriptor):

        async def write(data: bytes) -> None:
            file.write(data)

        return write
    loop = asyncio.get_running_loop()
    # asyncio has no public way from a pipe to a StreamWriter; this is the one its docs' users take.
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, file)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)

    async def send(data: bytes) -> None:
        writer.write(data)
        with suppress(ConnectionError):  # the client is gone: its end of input will say so
            await writer.drain()

    return send


def _can_be_waited_for(descriptor: int) -> bool:
    """Tell pipes, sockets and terminals from files and /dev/null, which are always ready."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
