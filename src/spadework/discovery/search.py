"""Looks for model servers at the usual ports, with requests that load and cost nothing.

LiteLLM is asked at `/health/liveliness` and never at `/health`, which calls every model; llama-swap
at `/running` and never at `/upstream/…`, which loads one.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

import httpx2

from spadework.backends.registry import all_kinds
from spadework.errors import ArgumentError
from spadework.util.http_client import LARGEST_DOCUMENT, async_client, replies_up_to
from spadework.util.untrusted_text import is_usable_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from spadework.backends.backend_traits import BackendTraits
    from spadework.config.backend_kinds import BackendKind

LOOPBACK = "127.0.0.1"
SECONDS = 1.0

_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?")
_ADDRESS = re.compile(r"http://([^/]+)(/.*)?", re.IGNORECASE)
_PORTS = range(1, 65536)
_MAX_BYTES = 1_000_000
_OK = 200
_CHAT_MODES = (None, "chat", "completion", "responses")  # LiteLLM says what a model is for
_KEY_WANTED = frozenset({401, 403})
_OTHERS = "openai"
"""The kind of a server that shows no sign of another one."""


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answered: what it is, and its models if it tells them without a key."""

    kind: BackendKind
    url: str
    models: tuple[str, ...] = ()
    needs_key: bool = False


def addresses(hosts: Iterable[str], ports: Sequence[int]) -> list[str]:
    """List the addresses to look at.

    Args:
        hosts: names, IP addresses or `http://` addresses; `host:port` means that port alone.
        ports: the ports to look at on the others.

    Raises:
        ArgumentError: a host is none, or a port.
    """
    for port in ports:
        if port not in _PORTS:
            raise ArgumentError(
                f"--port {port} is not a valid port",
                hint=f"a port is a number from 1 to {_PORTS[-1]}",
            )
    found: dict[str, None] = {}
    for given in hosts:
        host = _ADDRESS.sub(r"\1", given)
        host = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
        match = _HOST.fullmatch(host)
        if not match or int(match["port"] or 1) not in _PORTS:
            raise ArgumentError(
                f"--host {given!r} is not a valid host",
                hint="write a name such as koala, or koala:4000, or http://koala:4000",
            )
        chosen = [int(match["port"])] if match["port"] else ports
        found |= dict.fromkeys(f"http://{match['host']}:{port}" for port in chosen)
    return list(found)


def default_ports() -> dict[int, str]:
    """Return the ports where servers of the known kinds usually listen, with the server's name."""
    return {
        port: name for facts in all_kinds().values() for port, name in facts.default_ports.items()
    }


async def discover(urls: Sequence[str], seconds: float = SECONDS) -> list[FoundServer]:
    """Look at all addresses at once.

    Args:
        urls: the addresses, such as `http://127.0.0.1:4000`.
        seconds: the time limit for the whole search; slower servers are not found.

    Returns:
        What was found, in the order of the addresses.
    """
    if not urls:
        return []
    # Proxy variables are left alone: loopback and the local network are meant.
    async with async_client(httpx2, trust_env=False, timeout=seconds) as client:
        looks = [asyncio.create_task(_identify(client, url)) for url in urls]
        done, late = await asyncio.wait(looks, timeout=seconds)
        for look in late:
            look.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    return [found for look in looks if look in done and (found := look.result())]


async def with_models(found: FoundServer, api_key: str, seconds: float = SECONDS) -> FoundServer:
    """Ask a server that wants a key for its models; unchanged if it does not tell them."""
    headers = {"Authorization": f"Bearer {api_key}"}
    async with async_client(httpx2, trust_env=False, timeout=seconds, headers=headers) as client:
        try:
            _, models = await _models(client, found.url)
        except httpx2.HTTPError:
            return found
    return replace(found, models=models or ())


async def _identify(client: httpx2.AsyncClient, url: str) -> FoundServer | None:
    replies: dict[str, tuple[int, str]] = {}

    async def reply(path: str) -> tuple[int, str]:
        if path not in replies:
            replies[path] = await _get(client, url + path)
        return replies[path]

    try:
        kind, facts = await _kind_by_signature(reply)
        status, models = await _models(client, url)
        root, _ = await reply("/")
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return None
    if models is not None or facts.signature_is_conclusive:
        # Without a key LiteLLM may fail with a 500 instead of a 401.
        needs_key = status != _OK and bool(facts.key_variables)
        return FoundServer(kind, url, models or (), needs_key)
    # A server that refuses everything may be anything; vLLM and its like refuse only /v1.
    if status in _KEY_WANTED and root not in _KEY_WANTED:
        return FoundServer(_OTHERS, url, needs_key=True)
    return None


async def _kind_by_signature(
    reply: Callable[[str], Awaitable[tuple[int, str]]],
) -> tuple[BackendKind, BackendTraits]:
    """Recognize a server by what it says at some path; `_OTHERS` if it shows no known sign."""
    kinds = all_kinds()
    for kind, facts in kinds.items():
        if facts.signature is not None:
            path, is_sign = facts.signature
            if is_sign((await reply(path))[1]):
                return kind, facts
    return _OTHERS, kinds[_OTHERS]


async def _models(client: httpx2.AsyncClient, url: str) -> tuple[int, tuple[str, ...] | None]:
    """Ask for the models, which all these servers list at one place; None if it lists none."""
    status, text = await _get(client, f"{url}/v1/models")
    listed = _json(text).get("data")
    if status != _OK or not isinstance(listed, list):
        return status, None
    names = (
        entry.get("id")
        for entry in listed
        if isinstance(entry, dict) and entry.get("mode", "chat") in _CHAT_MODES
    )
    return status, tuple(name for name in names if _is_name(name))


def _is_name(name: object) -> TypeGuard[str]:
    """Whether it is a usable model name; LiteLLM's wildcards are not."""
    return isinstance(name, str) and is_usable_name(name) and "*" not in name


async def _get(client: httpx2.AsyncClient, url: str) -> tuple[int, str]:
    """Return the status and the beginning of the body."""
    content = bytearray()
    with replies_up_to(LARGEST_DOCUMENT):
        async with client.stream("GET", url) as reply:
            async for piece in reply.aiter_bytes():
                content += piece
                if len(content) > _MAX_BYTES:
                    break
    return reply.status_code, content[:_MAX_BYTES].decode("utf-8", "replace")


def _json(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
