"""HTTP connections: uvicorn's, with the time-outs and limits that it does not have.

uvicorn limits an idle connection between two requests, and nothing else. Here a request's head and
its body must come in time, a client must take what it is sent, and the rest of a request that was
answered before its end is thrown away unread.

Open connections have a limit, in total and from one address. There, the oldest one without a
request is closed, so that clients which connect and stay silent displace each other and not those
that work.
"""

from __future__ import annotations

import ipaddress
import resource
import sys
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from spadework.mcp.http.listen_address import ip

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, MutableMapping

    from spadework.config.models import HttpConfig

_DESCRIPTOR_SHARE = 3
"""One HTTP server takes at most this part of the process's file descriptors."""
_SITE_BITS = 64
"""One machine has a whole IPv6 network of this prefix to itself."""


class ConnectionLimits:
    """The open connections of one server.

    Args:
        config: gives the config's section as it is now.
        is_trusted_proxy: tells whether many clients share an address.
    """

    def __init__(
        self, config: Callable[[], HttpConfig], is_trusted_proxy: Callable[[str], bool]
    ) -> None:
        self._config = config
        self._is_trusted_proxy = is_trusted_proxy
        self._open: dict[HttpProtocol, str] = {}
        """Every connection with its site, the oldest first."""
        self._sites: dict[str, dict[HttpProtocol, str]] = {}
        """The same, by site."""

    @property
    def most(self) -> int:
        """The most connections at once."""
        return max(1, min(self._config().max_connections, _descriptors() // _DESCRIPTOR_SHARE))

    @property
    def most_of_a_site(self) -> int:
        """The most connections from one address; half of all at most."""
        return max(1, min(self._config().max_connections_per_address, self.most // 2))

    def add(self, connection: HttpProtocol, address: str) -> bool:
        """Take a connection in; returns whether there is room for it."""
        site = _site(address)
        mine = self._sites.get(site, {})
        is_full = len(mine) >= self.most_of_a_site and not self._is_trusted_proxy(address)
        if is_full and not self._displace(mine):
            return False
        if len(self._open) >= self.most and not self._displace(self._open):
            return False
        self._open[connection] = site
        self._sites.setdefault(site, {})[connection] = site
        return True

    def remove(self, connection: HttpProtocol) -> None:
        """Forget a connection that is closed."""
        site = self._open.pop(connection, None)
        if site is None:
            return
        del self._sites[site][connection]
        if not self._sites[site]:
            del self._sites[site]

    def _displace(self, connections: Iterable[HttpProtocol]) -> bool:
        """Close the oldest idle connection, strangers first; returns whether there is one."""
        idle = (one for one in connections if one.is_idle)
        chosen = next((one for one in idle if not one.is_known), None) or next(
            (one for one in connections if one.is_idle), None
        )
        if chosen is None:
            return False
        self.remove(chosen)
        chosen.displace()
        return True


def _site(address: str) -> str:
    """What is counted as one machine."""
    try:
        number = ip(address)
    except ValueError:
        return address
    if number.version == 4:  # noqa: PLR2004 - IPv4
        return str(number)
    return str(ipaddress.ip_network((int(number), _SITE_BITS), strict=False))


def _descriptors() -> int:
    """The most file descriptors that this process may have open."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else most


_SCOPE_KEY = "spadework.connection"
_READ_AT_ONCE = 4 * 1024
"""Bytes. Parsing takes longer than the size: 256 KiB of one-byte chunks hold the event loop for
seconds, and one read is parsed before the guard sees its headers."""
_SECONDS_TO_WRITE = 60.0
"""For a client that does not take what it is sent."""
_SECONDS_TO_LINGER = 2.0
"""For a client that is still sending what nobody reads, to see its answer."""
_NO_ROOM = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-length: 0\r\n\r\n"
)


class HttpProtocol(H11Protocol):
    """One connection.

    Args:
        limits: how many there may be.
        settings: gives the config's section as it is now.
        options: uvicorn's own.
    """

    def __init__(
        self, limits: ConnectionLimits, settings: Callable[[], HttpConfig], **options: Any
    ) -> None:
        super().__init__(**options)
        self.is_known = False
        """Whether a request of it has been let in."""
        self._limits = limits
        self._settings = settings
        self._phase = ""
        self._phase_of: object = None
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> HttpProtocol:
        """The connection that a request came on."""
        connection: HttpProtocol = scope[_SCOPE_KEY]
        return connection

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def displace(self) -> None:
        """Close it at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection in, or turn it away."""
        super().connection_made(transport)
        transport.max_size = _READ_AT_ONCE  # type: ignore[attr-defined]  # asyncio reads so much
        if not self._limits.add(self, self.client[0] if self.client else ""):
            transport.write(_NO_ROOM)
            transport.close()
            return
        self._enter("head", None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what the connection held."""
        self._limits.remove(self)
        self._set_deadline(None)
        self.resume_writing()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn does so only after a clean end

    def data_received(self, data: bytes) -> None:
        """Parse what comes, unless it is the rest of something that was answered already."""
        if self._phase != "linger":
            super().data_received(data)

    def handle_events(self) -> None:
        """Begin what has come, and see what is waited for now."""
        super().handle_events()
        if self.cycle is not None:
            self.cycle.scope[_SCOPE_KEY] = self  # type: ignore[literal-required]
        self._look()

    def on_response_complete(self) -> None:
        """Go on to the next request, unless the client is still sending this one."""
        if self.cycle is not None and self.cycle.more_body:
            self._linger()
            return
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The client does not take what it is sent: it has only so long."""
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(_SECONDS_TO_WRITE, self.displace)

    def resume_writing(self) -> None:
        """The client takes what it is sent."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _look(self) -> None:
        """Set the deadline for what the client has to send next; none while it is answered."""
        if self._phase == "linger":
            return
        if self.transport.is_closing():
            self._enter("end", self.cycle)
        elif self.is_idle:
            self._enter("head", self.cycle)
        elif self.cycle.more_body:
            self._enter("body", self.cycle)
        else:
            self._enter("answer", self.cycle)

    def _enter(self, phase: str, of: object) -> None:
        """Begin to wait for something; what is waited for already keeps its deadline."""
        if (phase, of) == (self._phase, self._phase_of):
            return
        self._phase, self._phase_of = phase, of
        settings = self._settings()
        seconds = {
            "head": settings.header_timeout,
            "body": settings.body_timeout,
            "end": _SECONDS_TO_WRITE,
        }
        self._set_deadline(seconds.get(phase))

    def _linger(self) -> None:
        """Close our half, so that the client sees its answer before the connection is reset."""
        self._unset_keepalive_if_required()
        self._phase = "linger"
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._set_deadline(_SECONDS_TO_LINGER)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.displace)
