"""The daemon: the one process behind every window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.daemon.control import place_here
from spadework.errors import SpadeworkError
from spadework.remote.client import connect
from spadework.shim.rendezvous import is_newer, own_version
from spadework.util.finding import Finding
from spadework.util.serialization import MalformedData

if TYPE_CHECKING:
    from collections.abc import Mapping

STOP = "`spadework daemon stop` ends it; the next window starts a new one"


async def describe() -> Mapping[str, Any] | None:
    """Ask the daemon what it is; None where none runs.

    Raises:
        DaemonError: it does not answer, or has no usable socket path.
    """

    def read(result: object) -> dict[str, Any]:
        if not isinstance(result, dict):
            raise MalformedData("expected the answer to be an object")
        return result

    line = await connect(place_here())
    return None if line is None else await line.call({"call": "describe"}, read)


@dataclass(frozen=True, slots=True)
class DaemonSnapshot:
    """What was there before the handshake, which starts a daemon: one of that version, or none."""

    ran: bool
    version: str = ""


async def look_before() -> DaemonSnapshot:
    """Look for a daemon; `check_daemon` reports what is wrong."""
    try:
        told = await describe()
    except SpadeworkError:
        return DaemonSnapshot(ran=True)
    return (
        DaemonSnapshot(ran=False)
        if told is None
        else DaemonSnapshot(ran=True, version=str(told["version"]))
    )


async def check_daemon(before: DaemonSnapshot) -> Finding:
    """Does a daemon run, is it of this version, and does it use the config as it is now?"""
    if before.version and is_newer(own_version(), than=before.version):
        # Our own questions have told it so: it may be gone already.
        text = f"version {before.version}: older than this one ({own_version()}); it ends when idle"
        return Finding("warning", "daemon", "", text, STOP)
    try:
        told = await describe()
    except SpadeworkError as error:
        return Finding("error", "daemon", "", str(error), error.hint)
    if told is None:
        return Finding("ok", "daemon", "", "none runs; the first window starts one")
    version = str(told.get("version"))
    text = f"version {version}, process {told.get('pid')}"
    if told.get("superseded"):
        return Finding(
            "warning", "daemon", "", f"{text}: it ends when idle, a newer one is here", STOP
        )
    if problem := told.get("problem"):
        cure = "`spadework config check` says everything that is wrong"
        return Finding(
            "error", "daemon", "", f"{text}: the changed config is not in use: {problem}", cure
        )
    windows = sum(one.get("role") == "mcp" for one in told.get("connections") or () if one)
    began = "" if before.ran else "; started by this handshake, it stops when idle"
    return Finding("ok", "daemon", "", f"{text}, windows: {windows}{began}")
