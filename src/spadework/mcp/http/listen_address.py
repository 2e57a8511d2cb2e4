"""Parses `HOST:PORT`, and binds the listening socket."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

PATH = "/mcp"
_FORM = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/@\[\]]+):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it was written; port 0 stands for any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`; an IPv6 address is written in brackets.

    Raises:
        ArgumentError: it is none.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None or int(match["port"]) > _HIGHEST_PORT:
        raise ArgumentError(
            f"{text!r} is not an address to listen on",
            hint="write HOST:PORT, such as 127.0.0.1:8765 or [::1]:8765",
        )
    return Address(match["host"].strip("[]"), int(match["port"]))


def bind(address: Address) -> socket.socket:
    """Take the address.

    Raises:
        ArgumentError: it is in use, unknown, or not this machine's.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError):
        raise ArgumentError(
            f"the host {address.host!r} is not known", hint="an IP address needs no name service"
        ) from None
    family, kind, protocol, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
    try:
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _not_bound(address, error) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen()
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise _not_bound(address, error) from None
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Tell whether no other machine can reach it."""
    return ip(bound.getsockname()[0]).is_loopback


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an IP address; one of IPv4 that IPv6 carries is itself.

    Raises:
        ValueError: it is none.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def is_one_of(networks: Iterable[str], address: str) -> bool:
    """Tell whether an address lies in one of the networks; each is an address or CIDR."""
    try:
        number = ip(address)
    except ValueError:
        return False
    return any(number in ipaddress.ip_network(one, strict=False) for one in networks)


def url_of(address: Address, bound: socket.socket) -> str:
    """The address by which a client calls it: by this machine's name where it listens at all."""
    where = ip(bound.getsockname()[0])
    host = socket.gethostname() if where.is_unspecified else address.host
    return f"http://{Address(host, bound.getsockname()[1])}{PATH}"


def _not_bound(address: Address, error: OSError) -> ArgumentError:
    other = "choose another port, or stop what listens there: maybe the daemon (http.listen)"
    reasons = {
        errno.EADDRINUSE: ("is in use", other),
        errno.EADDRNOTAVAIL: ("is not an address of this machine", "`ip address` lists them"),
        errno.EACCES: ("needs the rights of root", "choose a port from 1024 on"),
    }
    reason, hint = reasons.get(error.errno or 0, (f"cannot be used: {error.strerror}", ""))
    return ArgumentError(f"{address} {reason}", hint=hint)
