"""The daemon as its connections see it; `spadework.daemon.process` has the one implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from spadework.mcp.reloading_engine import ReloadingEngine


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection of the daemon; its role tells a window from a command."""

    role: str
    session: str = ""
    project: str = ""
    pid: int | None = None
    version: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """What the daemon reports of itself, without any key; `started` is seconds since 1970.

    `problem` says why a changed config is not in use, `http` where it listens for other machines;
    `superseded` tells that it ends when idle, because a newer version is here.
    """

    version: str
    pid: int
    started: float
    address: str = ""
    config: str = ""
    problem: str = ""
    http: str = ""
    log: str = ""
    running: int = 0
    superseded: bool = False
    connections: tuple[ConnectionStatus, ...] = ()


class DaemonService(Protocol):
    """What a connection may ask of the daemon."""

    live: ReloadingEngine
    """The engine; it follows its config file."""
    http: list[str]
    """Where it listens for other machines, or why it does not."""

    @property
    def running(self) -> int:
        """How many requests are being worked on, the one that asks this left out."""

    def describe(self) -> DaemonStatus:
        """Return what `spadework daemon status` shows."""

    def mark_as_http_host(self) -> None:
        """Record that this connection serves over HTTP, for as long as it lasts."""

    def mark_as_status_query(self) -> None:
        """Record that this connection only asks for a status: it does not keep the daemon busy."""

    def stop(self) -> None:
        """End gracefully."""
