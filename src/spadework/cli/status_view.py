"""The daemon's status as rows of text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spadework.daemon.daemon_service import DaemonStatus
from spadework.engine.scheduling.status import StatusReport
from spadework.errors import DaemonError
from spadework.shim.rendezvous import MCP
from spadework.util.serialization import MalformedData, decode
from spadework.util.untrusted_text import display_name, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import RenderableType

_LONGEST_CELL = 1000  # characters


@dataclass(frozen=True, slots=True)
class StatusView:
    """The daemon and its engine at one moment."""

    daemon: DaemonStatus
    engine: StatusReport


@dataclass(frozen=True, slots=True)
class StatusSection:
    """Rows of one kind; the header's first word names the kind."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    spare: tuple[str, ...] = ()
    """Columns that a narrow terminal leaves out."""


def load_status(data: Mapping[str, Any]) -> StatusView:
    """Read what the daemon answers to the call `status`.

    Raises:
        DaemonError: it is not understood.
    """
    try:
        return StatusView(
            decode(DaemonStatus, data.get("daemon"), "daemon"),
            decode(StatusReport, dict(data), "status"),
        )
    except MalformedData as failure:
        raise DaemonError(
            f"the daemon's status is not understood: {failure}",
            hint="it may be of another version: `spadework daemon stop` ends it",
        ) from None


def sections(view: StatusView, now: float) -> list[StatusSection]:
    """Lay out everything that there is to show; `now` is seconds since 1970."""
    daemon, engine = view.daemon, view.engine
    every = [
        _process(daemon, now),
        _note("problem", "the changed config is not in use", daemon.problem),
        _note("http", "address", daemon.http),
        _section("backend", engine.backends, spare=("swaps", "exclusive", "kind")),
        _section("running", engine.running, {"cold": "state"}, spare=("kind", "tool")),
        _section("waiting", engine.waiting, {"seconds": "longest"}),
        _section("breaker", engine.breakers),
        _section("error", engine.errors, spare=("kind",)),
    ]
    return [section for section in every if section.rows]


def as_tables(view: StatusView, now: float) -> list[RenderableType]:
    """Make tables for a live screen, with an empty line between them."""
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = []
    for section in sections(view, now):
        table = Table(*section.header, box=None, pad_edge=False, header_style="bold")
        for row in section.rows:
            table.add_row(*map(Text, row))
        shown += [table, ""]
    return shown[:-1]


def _process(daemon: DaemonStatus, now: float) -> StatusSection:
    windows = sum(one.role == MCP for one in daemon.connections)
    up = timedelta(seconds=max(0, int(now - daemon.started)))
    row = (daemon.version, str(daemon.pid), str(up), str(windows))
    return StatusSection(("daemon", "pid", "up", "windows"), (tuple(map(_clean, row)),))


def _note(word: str, title: str, text: str) -> StatusSection:
    return StatusSection((word, title), ((word, _clean(text)),) if text else ())


def _section(
    word: str,
    items: Sequence[Any],
    titles: Mapping[str, str] | None = None,
    spare: tuple[str, ...] = (),
) -> StatusSection:
    """Lay out dataclasses, a column for each field; the first column is called by `word`."""
    names = [field.name for field in fields(items[0])] if items else []
    names = [name for name in names if name not in _HIDDEN]
    known = titles or {}
    header = (word, *(known.get(name, name.replace("_", " ")) for name in names[1:]))
    rows = tuple(tuple(_cell(name, getattr(one, name)) for name in names) for one in items)
    return StatusSection(header, rows, spare)


def _cell(name: str, value: object) -> str:
    written = _FORMATS[name](value) if name in _FORMATS else value
    return _clean(("yes" if written else "no") if isinstance(written, bool) else str(written))


def _clean(text: str) -> str:
    """What clients and servers say may hold tabs, line ends and terminal escapes."""
    return one_line(text, _LONGEST_CELL)


def _loaded(names: tuple[str, ...] | None) -> str:
    if names is None:
        return ""
    return ", ".join(map(display_name, names)) or "nothing"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


_HIDDEN = frozenset({"id"})
_FORMATS: Mapping[str, Callable[[Any], str]] = {
    "name": display_name,
    "model": display_name,
    "models": lambda names: ", ".join(map(display_name, names)),
    "loaded": _loaded,
    "seconds": "{:.1f}".format,
    "reopens_in": "{:.0f}".format,
    "cold": lambda cold: "loading" if cold else "",
    "at": _clock,
}
"""How the fields of the status are written; others are written as they are, flags as yes or no."""
