"""The daemon: the one process behind every window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journeyman.claude_code.findings import Finding
from journeyman.daemon.control import place_here
from journeyman.errors import JourneymanError
from journeyman.remote.client import connect
from journeyman.remote.coding import Malformed
from journeyman.shim.meeting import is_newer, own_version

if TYPE_CHECKING:
    from collections.abc import Mapping

STOP = "`journeyman daemon stop` ends it; the next window starts a new one"


async def describe() -> Mapping[str, Any] | None:
    """Ask the daemon what it is; None where none runs.

    Raises:
        DaemonError: it does not answer, or there is no place to meet one.
    """

    def read(result: object) -> dict[str, Any]:
        if not isinstance(result, dict):
            raise Malformed("the answer is no object")
        return result

    line = await connect(place_here())
    return None if line is None else await line.call({"call": "describe"}, read)


async def runs() -> bool:
    """Whether one runs now; trouble is told by `check_daemon`."""
    try:
        return await describe() is not None
    except JourneymanError:
        return True


async def check_daemon(*, ran_before: bool) -> Finding:
    """Does a daemon run, is it of this version, and does it use the config as it is now?

    Args:
        ran_before: whether one ran before the handshake, which starts one.
    """
    try:
        told = await describe()
    except JourneymanError as error:
        return Finding("broken", "daemon", str(error), error.hint)
    if told is None:
        return Finding("ok", "daemon", "none runs; the first window starts one")
    version = str(told.get("version"))
    text = f"version {version}, process {told.get('pid')}"
    if is_newer(own_version(), than=version):
        return Finding("warning", "daemon", f"{text}: older than this one ({own_version()})", STOP)
    if told.get("superseded"):
        return Finding("warning", "daemon", f"{text}: it ends when idle, a newer one is here", STOP)
    if problem := told.get("problem"):
        cure = "`journeyman config check` says everything that is wrong"
        return Finding(
            "broken", "daemon", f"{text}: the changed config is not in use: {problem}", cure
        )
    windows = sum(one.get("role") == "mcp" for one in told.get("connections") or () if one)
    began = "" if ran_before else "; started by this handshake, it stops when idle"
    return Finding("ok", "daemon", f"{text}, windows: {windows}{began}")
