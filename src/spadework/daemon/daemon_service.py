"""The daemon as its connections see it; `spadework.daemon.process` has the one implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from spadework.mcp.reloading_engine import ReloadingEngine


class DaemonService(Protocol):
    """What a connection may ask of the daemon."""

    live: ReloadingEngine
    """The engine; it follows its config file."""
    http: list[str]
    """Where it listens for other machines, or why it does not."""

    @property
    def running(self) -> int:
        """How many requests are being worked on, the one that asks this left out."""

    def describe(self) -> dict[str, Any]:
        """Return what `spadework daemon status` shows, as plain JSON without any key."""

    def mark_as_http_host(self) -> None:
        """Record that this connection serves over HTTP, for as long as it lasts."""

    def mark_as_status_query(self) -> None:
        """Record that this connection only asks for a status: it does not keep the daemon busy."""

    def stop(self) -> None:
        """End gracefully."""
