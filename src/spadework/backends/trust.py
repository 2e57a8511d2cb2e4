"""Whether a model runs on the user's own machines, and the source of that knowledge.

The user's own hosts are loopback, private networks, and names that stay inside. An address is
judged by how it is written; no name is looked up. What cannot be recognized as local is not local.
A backend collects evidence; the config has the last word. Who may be sent what is decided in
`engine/trust_policy.py`, by the trust that is found here.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from spadework.config.model_patterns import matches

if TYPE_CHECKING:
    from collections.abc import Iterable

Trust = Literal["local", "cloud", "unknown"]

_ORDER: tuple[Trust, ...] = ("local", "unknown", "cloud")
_CLOUD_TAG = re.compile(r"[:-]cloud$", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was learned of one model.

    `source` says where, in a few words. Firm evidence is not overruled by a pattern of
    `local_models`, only by the model's full name there.
    """

    trust: Trust
    source: str
    firm: bool = False


@dataclass(frozen=True, slots=True)
class TrustRules:
    """What the config says: `trust` of the backend, and the lists of hosts and models."""

    backend: Literal["local", "cloud"] | None = None
    local_hosts: tuple[str, ...] = ()
    local_models: tuple[str, ...] = ()
    cloud_models: tuple[str, ...] = ()


def worst(evidence: Iterable[Evidence]) -> Evidence:
    """Return the least trusted of several: a request may go to any of them."""
    return max(evidence, key=lambda one: (_ORDER.index(one.trust), one.firm))


def decide(model_id: str, evidence: Evidence, rules: TrustRules) -> Evidence:
    """Let the config have the last word.

    Args:
        model_id: `backend/model`.
        evidence: what the backend learned of the model.
        rules: what the config says.
    """
    is_tagged = ":" in model_id.rpartition("/")[2]
    names = {model_id, model_id.removesuffix(":latest")}
    names |= set() if is_tagged else {f"{model_id}:latest"}
    folded = {one.lower() for one in (*names, model_id.partition("/")[2])}
    clouds = [pattern.lower() for pattern in rules.cloud_models]
    if any(matches(name, clouds) for name in folded):
        return Evidence("cloud", "cloud_models in the config", firm=True)
    if names & set(rules.local_models):
        return Evidence("local", "local_models in the config")
    if rules.backend == "cloud":
        return Evidence("cloud", 'trust = "cloud" of the backend', firm=True)
    if not evidence.firm and any(matches(name, rules.local_models) for name in names):
        return Evidence("local", "local_models in the config")
    return evidence


def of_address(url: str, rules: TrustRules) -> Evidence:
    """Judge an address by its host."""
    host = host_of(url)
    if rules.backend == "local":
        return Evidence("local", 'trust = "local" of the backend')
    if is_local_host(host, rules.local_hosts):
        return Evidence("local", f"local host {host}")
    if not host:
        return Evidence("unknown", "address without a host")
    return Evidence("cloud", f"public host {host}", firm=True)


def presume(model_id: str, url: str, rules: TrustRules) -> Evidence | None:
    """Say what is certain of a model without asking its server: that it is not local.

    Args:
        model_id: `backend/model`; `backend/*` means every model of the backend.
        url: the server's address.
        rules: what the config says.

    Returns:
        None where the server has to be asked.
    """
    near = of_address(url, rules)
    backend, _, model = model_id.partition("/")
    if model == "*" and any(one.startswith((f"{backend}/", "*")) for one in rules.local_models):
        return None
    tagged = of_cloud_tag(model)
    found = decide(model_id, worst([near, tagged]) if tagged else near, rules)
    return None if found.trust == "local" else found


def of_cloud_tag(model: str) -> Evidence | None:
    """Recognize Ollama's cloud models by their tags: `gpt-oss:120b-cloud`."""
    if _CLOUD_TAG.search(model):
        return Evidence("cloud", "cloud tag of Ollama", firm=True)
    return None


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
