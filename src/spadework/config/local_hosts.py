"""Which hosts are the user's own machines: loopback, private networks, and names that stay inside.

An address is judged by how it is written; no name is looked up. What cannot be recognized as local
is not local.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}")
"""What the system's resolver takes for an IPv4 address: `127.1`, `2130706433`, `0x7f.1`."""
_LOCAL_SUFFIXES = (".local", ".ts.net", ".lan", ".localhost", ".internal", ".home.arpa")
"""mDNS (RFC 6762), Tailscale, what routers use, and what RFC 6761, ICANN and RFC 8375 reserve."""
_TAILNET = ipaddress.ip_network("100.64.0.0/10")
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "::1/128",
        "fe80::/10",
        "fc00::/7",
    )
)


def host_of(url: str) -> str:
    """Return the host of an address, in lower case; empty where there is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or "\\" in url:
        return ""
    return (parts.hostname or "").lower()


def is_local_host(host: str, local_hosts: Iterable[str] = ()) -> bool:
    """Tell whether a host is one of the user's machines.

    Args:
        host: a name or an IP address, as a URL has it, without brackets.
        local_hosts: what the user says is local too: names, `*.example.com`, addresses, networks.
    """
    host = host.strip().lower()
    address = _address(host)
    if address is not None:
        return _is_private(address) or any(_in_network(address, one) for one in local_hosts)
    if not _PLAIN.fullmatch(host):
        return False
    name = host.removesuffix(".")
    if any(_names(name, one) for one in local_hosts):
        return True
    return "." not in name or name.endswith(_LOCAL_SUFFIXES)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address in any form that the system's resolver understands."""
    host = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        bare = host.removesuffix(".")
        if not _NUMERIC.fullmatch(bare):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(bare))
        except OSError:
            return None
    inner = getattr(address, "ipv4_mapped", None)
    return inner or address


def _is_private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.is_unspecified:  # connecting to it reaches this machine
        return True
    return any(_contains(network, address) for network in (*_PRIVATE, _TAILNET))


def _contains(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> bool:
    return network.version == address.version and address in network


def _in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, written: str) -> bool:
    try:
        return _contains(ipaddress.ip_network(written.strip(), strict=False), address)
    except ValueError:
        return False


def _names(name: str, written: str) -> bool:
    written = written.strip().lower().removesuffix(".")
    if written.startswith("*."):
        return name.endswith(written[1:])
    return name == written
