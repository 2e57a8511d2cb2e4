"""The section `[http]` of the config: the server for other machines."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from spadework.config.validators import ConfigPath, ConfigSection, listening_address, network


class HttpConfig(ConfigSection):
    """The MCP server over HTTP, for other machines: `spadework serve --http`."""

    listen: Annotated[str, AfterValidator(listening_address)] = ""
    """The address, `HOST:PORT`, at which the daemon listens as long as it runs; it then never
    stops by itself. Empty: only while `spadework serve` runs."""

    roots: dict[str, ConfigPath] = {}
    """Folders that clients may name, and where they are here: `"/home/me/src" = "/srv/src"`.
    Without one, references are refused over HTTP: client and server share no disk."""

    max_body_bytes: int = Field(default=4_000_000, gt=0)
    """The largest request."""

    max_calls: int = Field(default=64, ge=1)
    """The most requests at once."""

    max_calls_per_token: int = Field(default=32, ge=1)
    """The most requests at once with one token; without tokens, from one address. The same holds
    for the keys below."""

    max_sessions_per_token: int = Field(default=100, ge=1)
    """The most open sessions (protocol revisions until 2025-11-25); all tokens together have
    1,000."""

    max_streams_per_token: int = Field(default=100, ge=1)
    """The most open streams that only wait for notifications."""

    max_tasks_per_token: int = Field(default=16, ge=1)
    """The most tasks under way: calls of `ask_each` that the client asks about later."""

    session_timeout: float = Field(default=1800.0, ge=1)
    """Seconds until a session ends in which no request is under way and no stream is open."""

    max_connections: int = Field(default=1024, ge=1)
    """The most connections at once; never more than a third of the file descriptors that the
    process may open."""

    max_connections_per_address: int = Field(default=256, ge=1)
    """The most connections from one address (of IPv6: from one /64 network); never more than half
    of all. When none is left, the oldest connection without a request is closed."""

    header_timeout: float = Field(default=10.0, gt=0)
    """Seconds for a client to send a request's headers; silent connections end with it."""

    body_timeout: float = Field(default=60.0, gt=0)
    """Seconds for a client to send a request's body."""

    trusted_proxies: list[Annotated[str, AfterValidator(network)]] = []
    """Addresses or networks of reverse proxies, such as `127.0.0.1`: their `X-Forwarded-For` says
    who the client is, and the limit per address does not hold for them. A token is then always
    needed. Without it the header is not believed."""

    allowed_hosts: list[str] = []
    """Names by which clients may call this machine, besides the address itself."""

    allowed_origins: list[str] = []
    """Web pages that may call it, such as `https://tools.example.com`. None by default."""
