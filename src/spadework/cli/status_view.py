"""The daemon's status as rows of text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spadework.engine.status_report import StatusReport
from spadework.errors import DaemonError
from spadework.shim.rendezvous import MCP
from spadework.util.serialization import MalformedData, decode
from spadework.util.untrusted_text import display_name, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

_LONGEST_CELL = 1000  # characters


@dataclass(frozen=True, slots=True)
class Connected:
    """One connection of the daemon; its role tells a window from a command."""

    role: str


@dataclass(frozen=True, slots=True)
class Process:
    """What the daemon says of itself; `started` is seconds since 1970.

    `problem` says why a changed config is not in use, `http` where it listens for other machines.
    """

    version: str
    pid: int
    started: float
    connections: tuple[Connected, ...] = ()
    problem: str = ""
    http: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """The daemon and its engine at one moment."""

    process: Process
    status: StatusReport


@dataclass(frozen=True, slots=True)
class StatusSection:
    """Rows of one kind; the header's first word names the kind."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    spare: tuple[str, ...] = ()
    """Columns that a narrow terminal leaves out."""


def read_standing(told: Mapping[str, Any]) -> StatusView:
    """Read what the daemon answers to the call `status`.

    Raises:
        DaemonError: it is not understood.
    """
    try:
        return StatusView(
            decode(Process, told.get("daemon"), "daemon"),
            decode(StatusReport, dict(told), "status"),
        )
    except MalformedData as failure:
        raise DaemonError(
            f"the daemon's status is not understood: {failure}",
            hint="it may be of another version: `spadework daemon stop` ends it",
        ) from None


def sections(standing: StatusView, now: float) -> list[StatusSection]:
    """Lay out everything that there is to show; `now` is seconds since 1970."""
    status = standing.status
    every = [
        _process(standing.process, now),
        _section(
            ("problem", "the changed config is not in use"),
            [("problem", standing.process.problem)] if standing.process.problem else [],
        ),
        _section(
            ("http", "address"), [("http", standing.process.http)] if standing.process.http else []
        ),
        _section(
            ("backend", "kind", "running", "slots", "waiting", "exclusive", "swaps", "loaded"),
            (
                (
                    one.name,
                    one.kind,
                    one.running,
                    one.slots,
                    one.waiting,
                    "yes" if one.exclusive else "no",
                    one.swaps,
                    _loaded(one.loaded),
                )
                for one in status.backends
            ),
            spare=("swaps", "exclusive", "kind"),
        ),
        _section(
            ("running", "tool", "model", "kind", "seconds", "state"),
            (
                (
                    one.session,
                    one.tool,
                    display_name(one.model),
                    one.kind,
                    f"{one.seconds:.1f}",
                    "loading" if one.cold else "",
                )
                for one in status.running
            ),
            spare=("kind", "tool"),
        ),
        _section(
            ("waiting", "kind", "count", "longest", "models"),
            (
                (
                    one.session,
                    one.kind,
                    one.count,
                    f"{one.seconds:.1f}",
                    ", ".join(map(display_name, one.models)),
                )
                for one in status.waiting
            ),
        ),
        _section(
            ("breaker", "state", "reopens in", "reason"),
            (
                (display_name(one.name), one.state, f"{one.reopens_in:.0f}", one.reason)
                for one in status.breakers
            ),
        ),
        _section(
            ("error", "model", "kind", "message"),
            (
                (_clock(one.at), display_name(one.model), one.kind, one.message)
                for one in status.errors
            ),
            spare=("kind",),
        ),
    ]
    return [section for section in every if section.rows]


def as_tables(standing: StatusView, now: float) -> list[RenderableType]:
    """Make tables for a live screen, with an empty line between them."""
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = []
    for section in sections(standing, now):
        table = Table(*section.header, box=None, pad_edge=False, header_style="bold")
        for row in section.rows:
            table.add_row(*map(Text, row))
        shown += [table, ""]
    return shown[:-1]


def _process(process: Process, now: float) -> StatusSection:
    windows = sum(one.role == MCP for one in process.connections)
    up = timedelta(seconds=max(0, int(now - process.started)))
    row = (process.version, process.pid, up, windows)
    return _section(("daemon", "pid", "up", "windows"), [row])


def _section(
    header: tuple[str, ...], rows: Iterable[tuple[object, ...]], spare: tuple[str, ...] = ()
) -> StatusSection:
    return StatusSection(header, tuple(tuple(map(_cell, row)) for row in rows), spare)


def _cell(value: object) -> str:
    """What clients and servers say may hold tabs, line ends and terminal escapes."""
    return one_line(str(value), _LONGEST_CELL)


def _loaded(names: tuple[str, ...] | None) -> str:
    if names is None:
        return ""
    return ", ".join(map(display_name, names)) or "nothing"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
