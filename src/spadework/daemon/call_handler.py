"""Handles calls of the command line and the Python API: one call per connection.

The protocol is that of spadework.remote.messages. The client that closes its end cancels the call.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spadework.config.api_keys import window_keys
from spadework.daemon.coalescing_writer import CoalescingWriter
from spadework.daemon.http_serving import serve_http
from spadework.engine.candidates import patterns_of
from spadework.engine.job import Job, Listener
from spadework.errors import ArgumentError, DaemonError, SpadeworkError
from spadework.remote.line_reader import LineReader
from spadework.remote.messages import (
    error_data,
    load_request,
    load_session,
    outcome_data,
)
from spadework.util.serialization import MalformedData, decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from spadework.daemon.daemon_service import DaemonService

log = logging.getLogger(__name__)


async def answer(
    daemon: DaemonService,
    keys: Mapping[str, str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    client: str = "",
) -> None:
    """Do the one call of a connection. Cancelling the task stops it.

    Args:
        daemon: whose engine does it.
        keys: the keys of the client's environment, by the variable's name.
        reader: where the request comes from.
        writer: where progress and the result go.
        client: tells apart who shares the threads for reading.
    """
    lines = LineReader(reader)
    outbox = CoalescingWriter(writer)
    try:
        request = await _request(lines)
    except MalformedData as failure:
        outbox.end(_told(failure))
        await _sent(outbox)
        return
    if request is None:
        return
    if request.get("call") == "serve":
        await _serve(daemon, request, keys, reader, writer)
        return
    gone = asyncio.create_task(lines.until_closed())
    sending = asyncio.create_task(_sent(outbox))
    working = asyncio.create_task(_work(daemon, request, keys, outbox, client))
    full = asyncio.create_task(outbox.until_full())
    tasks = (working, sending, gone, full)
    try:
        # The sending ends with the result, or when the client is gone or does not read.
        await asyncio.wait((sending, gone, full), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if request.get("call") == "stop":
        daemon.stop()


async def _request(lines: LineReader) -> dict[str, Any] | None:
    line = await lines.next()
    return None if line is None else load_request(line)


async def _sent(outbox: CoalescingWriter) -> None:
    try:
        await outbox.send()
    except ConnectionError:
        log.debug("a client went away before the end of its call")


async def _work(
    daemon: DaemonService,
    request: Mapping[str, Any],
    keys: Mapping[str, str],
    outbox: CoalescingWriter,
    client: str,
) -> None:
    """Do what is asked, and put the result or the error into the outbox."""
    if keys:
        window_keys.set(keys)  # in this task alone
    try:
        outbox.end({"result": await _called(daemon, request, keys, outbox, client)})
    except asyncio.CancelledError:
        outbox.end(_told(DaemonError("the daemon stopped this call", hint="ask again")))
        raise
    except Exception as failure:  # noqa: BLE001 - the caller must hear of it, the daemon lives on
        outbox.end(_told(failure))


async def _called(
    daemon: DaemonService,
    request: Mapping[str, Any],
    keys: Mapping[str, str],
    outbox: CoalescingWriter,
    client: str,
) -> object:
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "status": lambda: _status(daemon),
        "describe": lambda: _describe(daemon),
        "stop": lambda: _stop(daemon),
        "delegate": lambda: _delegate(daemon, request, keys, outbox, client),
        "survey": lambda: _survey(daemon, request),
    }
    name = request.get("call")
    call = calls.get(name) if isinstance(name, str) else None
    if call is None:
        raise ArgumentError(
            f"the daemon knows no call {name!r}", hint=f"the calls: {', '.join(calls)}, serve"
        )
    return await call()


async def _status(daemon: DaemonService) -> object:
    daemon.mark_as_status_query()
    report = await daemon.live.engine.status()
    return encode(report) | {"daemon": encode(daemon.describe())}


async def _describe(daemon: DaemonService) -> object:
    daemon.mark_as_status_query()
    return encode(daemon.describe())


async def _stop(daemon: DaemonService) -> object:
    """Only promise it: the daemon ends once the client has heard so."""
    return {"stopping": True, "running": daemon.running}


async def _delegate(
    daemon: DaemonService,
    request: Mapping[str, Any],
    keys: Mapping[str, str],
    outbox: CoalescingWriter,
    client: str,
) -> object:
    await daemon.live.look()  # the caller has read the config just now
    job = decode(Job, request.get("job"), "job")
    session = replace(load_session(request.get("session"), keys), client=client)
    tells = decode(tuple[str, ...], request.get("tells", []), "tells")
    deaf = Listener()
    listener = Listener(
        outbox.progress if "progress" in tells else deaf.progress,
        outbox.text if "text" in tells else deaf.text,
        outbox.away if "away" in tells else deaf.away,
    )
    return outcome_data(await daemon.live.engine.delegate(job, session, listener))


async def _survey(daemon: DaemonService, request: Mapping[str, Any]) -> object:
    """List what there is; the tools are the caller's, by the models that they ask for."""
    given = request.get("tools", {})
    closed = decode(tuple[str, ...], request.get("local_only", []), "local_only")
    tools = {
        name: decode(tuple[str, ...], models, f"tools[{name!r}]")
        for name, models in (given.items() if isinstance(given, dict) else ())
    }
    await daemon.live.look()  # as above
    engine = daemon.live.engine
    found = await engine.survey({})
    backends = engine.catalog.backends
    patterns = {name: patterns_of(models, backends) for name, models in tools.items()}
    return encode(replace(found, patterns=patterns, local_only=closed))


async def _serve(
    daemon: DaemonService,
    request: Mapping[str, Any],
    keys: Mapping[str, str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Run the HTTP server for as long as the client stays."""
    daemon.mark_as_http_host()
    try:
        await serve_http(daemon, request, writer, reader, keys)
    except Exception as failure:  # noqa: BLE001 - as in `_work`
        outbox = CoalescingWriter(writer)
        outbox.end(_told(failure))
        await _sent(outbox)


def _told(failure: Exception) -> dict[str, Any]:
    """Make the line that ends a call which failed."""
    if isinstance(failure, SpadeworkError):
        return {"error": error_data(failure)}
    if isinstance(failure, MalformedData):
        said = f"the daemon does not understand the request: {failure}"
        return {"error": error_data(ArgumentError(said))}
    log.error("a call failed", exc_info=failure)
    said = f"the daemon failed: {type(failure).__name__}: {failure}"
    return {"error": error_data(DaemonError(said, hint="`spadework daemon logs` shows where"))}
