"""Limits on open connections: in total, and from one address.

At the limit, the oldest connection without a request is closed, so that clients which
connect and stay silent displace each other and not those that work.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING, Protocol

from spadework.mcp.http.listen_address import ip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spadework.config.models import HttpConfig

_DESCRIPTOR_SHARE = 3
"""One HTTP server takes at most this part of the process's file descriptors."""
_SITE_BITS = 64
"""One machine has a whole IPv6 network of this prefix to itself."""


class Occupant(Protocol):
    """A connection as the limits see it."""

    is_known: bool
    """Whether a request of it has been let in."""

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        ...

    def displace(self) -> None:
        """Close it at once."""
        ...


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
        self._open: dict[Occupant, str] = {}
        """Every connection with its site, the oldest first."""
        self._sites: dict[str, dict[Occupant, str]] = {}
        """The same, by site."""

    @property
    def most(self) -> int:
        """The most connections at once."""
        return max(1, min(self._config().max_connections, _descriptors() // _DESCRIPTOR_SHARE))

    @property
    def most_of_a_site(self) -> int:
        """The most connections from one address; half of all at most."""
        return max(1, min(self._config().max_connections_per_address, self.most // 2))

    def add(self, connection: Occupant, address: str) -> bool:
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

    def remove(self, connection: Occupant) -> None:
        """Forget a connection that is closed."""
        site = self._open.pop(connection, None)
        if site is None:
            return
        del self._sites[site][connection]
        if not self._sites[site]:
            del self._sites[site]

    def _displace(self, connections: Iterable[Occupant]) -> bool:
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
    import resource  # noqa: PLC0415 - Windows lacks it

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else most
