"""An asyncio client that makes one call to the daemon. It never starts a daemon."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.engine.job import Progress
from spadework.errors import DaemonError
from spadework.remote.line_reader import LineReader
from spadework.remote.messages import (
    LONGEST,
    LONGEST_ANSWER,
    line_of,
    load_error,
    load_message,
)
from spadework.shim.client import DaemonUnavailable, connect_to_daemon
from spadework.shim.rendezvous import CALL
from spadework.util.serialization import MalformedData, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spadework.engine.job import Listener
    from spadework.shim.client import DaemonConnection
    from spadework.shim.rendezvous import Endpoint

Result = TypeVar("Result")

_SECONDS_TO_STOP = 1.0
_LOST = "`spadework daemon logs` says why; ask again, or without the daemon by --in-process"


class CallConnection:
    """A connection on which both have greeted each other; it is good for one call."""

    def __init__(self, lines: LineReader, writer: asyncio.StreamWriter) -> None:
        self._lines = lines
        self._writer = writer

    async def call(
        self,
        request: Mapping[str, Any],
        read: Callable[[object], Result],
        listener: Listener | None = None,
    ) -> Result:
        """Make the call and return its result. Cancelling the task stops the work.

        Args:
            request: what is called, and with what.
            read: reads the result; raises `MalformedData`.
            listener: receives progress and text; its calls must not block.

        Raises:
            DaemonError: the daemon went away, or its answer is not understood.
            SpadeworkError: whatever the daemon's engine raised, as the same class.
        """
        try:
            await self._send(request)
            return read(await self._result(listener))
        except asyncio.CancelledError:
            await self._hang_up()
            raise
        except MalformedData as failure:
            raise DaemonError(
                f"the daemon's answer is not understood: {failure}",
                hint="it may be of another version: `spadework daemon stop` ends it",
            ) from None
        finally:
            self.close()

    def close(self) -> None:
        """Drop the connection, and what of the request is not sent yet."""
        self._writer.transport.abort()

    async def _send(self, request: Mapping[str, Any]) -> None:
        line = line_of(request)
        if len(line) > LONGEST:
            raise DaemonError(
                f"{len(line):,} bytes are more than the {LONGEST:,} of one call to the daemon",
                hint="give files by reference, or ask with --in-process",
            )
        with suppress(ConnectionError):  # the daemon's last words may still be readable
            self._writer.write(line)
            await self._writer.drain()

    async def _result(self, listener: Listener | None) -> Any:
        while (line := await self._lines.next()) is not None:
            match load_message(line):
                case {"result": result}:
                    return result
                case {"error": error}:
                    raise load_error(error)
                case {"text": str(text)} if listener:
                    listener.text(text)
                case {"away": str(what)} if listener:
                    listener.away(what)
                case {"progress": step} if listener:
                    with suppress(
                        MalformedData
                    ):  # a newer daemon may have steps that we do not know
                        listener.progress(decode(Progress, step, "progress"))
        raise DaemonError("the daemon ended before the answer came", hint=_LOST)

    async def _hang_up(self) -> None:
        """Close our end, and give the daemon a moment to stop the model and to record that."""
        with suppress(OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(_SECONDS_TO_STOP):
                await self._lines.until_closed()


async def connect(place: Endpoint) -> CallConnection | None:
    """Reach the daemon, if one runs, and greet it; see `spadework.shim.client.connect_to_daemon`.

    Args:
        place: where it is met.

    Returns:
        The connection; None where nobody listens.

    Raises:
        DaemonError: a daemon is there, but it speaks another protocol, refuses or does not answer.
    """
    told: Future[DaemonConnection | None] = Future()
    # No thread of the loop's own: the end of the loop would wait for a daemon that hangs.
    Thread(target=_join, args=(place, told), daemon=True).start()
    try:
        met = await asyncio.wrap_future(told)
    except DaemonUnavailable as failure:
        raise DaemonError(str(failure), hint=failure.hint) from None
    if met is None:
        return None
    met.socket.setblocking(False)
    try:
        reader, writer = await asyncio.open_connection(sock=met.socket)
    except BaseException:
        met.socket.close()
        raise
    if met.rest:
        reader.feed_data(met.rest)
    return CallConnection(LineReader(reader, LONGEST_ANSWER), writer)


def _join(place: Endpoint, told: Future[DaemonConnection | None]) -> None:
    """Greet the daemon, and hand the connection over if somebody still wants it."""
    met, failure = None, None
    try:
        met = connect_to_daemon(place, CALL)
    except Exception as error:  # noqa: BLE001 - it is raised by who waits for us
        failure = error
    if not told.set_running_or_notify_cancel():
        if met:
            met.socket.close()
    elif failure:
        told.set_exception(failure)
    else:
        told.set_result(met)
