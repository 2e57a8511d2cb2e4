"""Request guard: Host and Origin checks against hostile web pages, then the bearer token."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.errors import ConfigError
from spadework.mcp.http.listen_address import ip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from spadework.config.models import HttpConfig
    from spadework.mcp.http.access_tokens import AccessToken, TokenStore

_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?::[0-9]{0,5})?")
_BEARER = re.compile(r"[Bb]earer +(?P<token>[!-~]+) *")
_LOOPBACK_NAMES = frozenset({"localhost"})
_MOST_HEADERS = 100
_MOST_HEADER_BYTES = 16 * 1024
_SECRET_IN_QUERY = re.compile(rb"(?:^|[&;])(?:access_)?token=|sw_", re.IGNORECASE)
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})


class HttpRejected(Exception):
    """A rejected request, with the response to send.

    Args:
        status: of HTTP.
        reason: one line.
        headers: what else the answer says.
    """

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Args:
        name: for the ledger and the queue: that of the token, else the client's address.
        identity: what sessions, tasks and limits are tied to; a new token of an old name is another
            caller, and so is an address that a token is named like.
    """

    name: str
    identity: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Judges a request by its headers.

    Args:
        host: what the server was told to listen at.
        tokens: whom it knows.
        needs_token: whether a caller must be known.
        config: gives the config's section as it is now.
    """

    host: str
    tokens: TokenStore
    needs_token: bool
    config: Callable[[], HttpConfig]

    def admit(self, scope: Mapping[str, Any]) -> Caller:
        """Let a request in.

        Returns:
            Who calls.

        Raises:
            HttpRejected: it is not let in.
        """
        headers = scope["headers"]
        _check_form(scope)
        host = self._checked_host(_values(headers, b"host"), scope)
        self._check_origin(_values(headers, b"origin"), host)
        if token := self._token(headers):
            return Caller(token.name, token.identity)
        client = scope.get("client")
        address = client[0] if client else "unknown"
        return Caller(address, f"address {address}")

    def _checked_host(self, values: list[str], scope: Mapping[str, Any]) -> str:
        """A page whose name was made to lead here (DNS rebinding) still says that name."""
        host = values[0].lower() if len(values) == 1 else ""
        match = _HOST.fullmatch(host)
        name = match["name"].rstrip(".").strip("[]") if match else ""
        own = {self.host.lower(), *map(str.lower, self.config().allowed_hosts)}
        if not name or (name not in own and not _is_at(name, scope)):
            raise HttpRejected(
                421, f"this server is not called {host!r}; http.allowed_hosts may add names"
            )
        return host

    def _check_origin(self, values: list[str], host: str) -> None:
        """Only web pages send one, and all are strangers but those that the config lists.

        A page from this very address would be our own; the official suite sends such a one.
        """
        allowed = {one.lower().rstrip("/") for one in self.config().allowed_origins}
        for origin in values:
            if origin.lower() not in {*allowed, f"http://{host}"}:
                raise HttpRejected(
                    403, f"web pages of {origin} may not call; http.allowed_origins lists who may"
                )

    def _token(self, headers: Iterable[tuple[bytes, bytes]]) -> AccessToken | None:
        """The token that is presented; None where none is known and none is needed."""
        values = _values(headers, b"authorization")
        is_forwarded = any(name in _FORWARDED for name, _ in headers)
        if not self.needs_token and not values and not is_forwarded:
            return None
        match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
        try:
            token = self.tokens.find(match["token"]) if match else None
        except ConfigError as error:
            raise HttpRejected(500, "the server cannot read its tokens") from error
        if token or not (self.needs_token or is_forwarded):
            return token
        challenge = 'Bearer realm="spadework"' + (', error="invalid_token"' if match else "")
        reason = "this token is not known" if match else "a bearer token is needed"
        if is_forwarded and not self.needs_token:
            reason += ": a proxy has forwarded this request, so it may come from another machine"
        raise HttpRejected(401, reason, www_authenticate=challenge)


def _check_form(scope: Mapping[str, Any]) -> None:
    """Refuse what two programs could read in two ways, and what no client sends."""
    headers = scope["headers"]
    names = [name for name, _ in headers]
    if b"transfer-encoding" in names and (
        b"content-length" in names or scope["http_version"] != "1.1"
    ):
        reason = "Transfer-Encoding beside Content-Length, or before HTTP/1.1"
        raise HttpRejected(400, reason, connection="close")
    size = sum(len(name) + len(value) for name, value in headers)
    if len(names) > _MOST_HEADERS or size > _MOST_HEADER_BYTES:
        most = f"{_MOST_HEADERS} headers or {_MOST_HEADER_BYTES:,} bytes of them"
        raise HttpRejected(431, f"more than {most}", connection="close")
    if _SECRET_IN_QUERY.search(scope.get("query_string", b"")):
        reason = "a token in the address ends up in logs: send it as `Authorization: Bearer TOKEN`"
        raise HttpRejected(400, reason)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in headers if key == name]


def _is_at(name: str, scope: Mapping[str, Any]) -> bool:
    """Tell whether a name is the address by which the client came, or stands for it."""
    reached = ip(scope["server"][0])
    if name in _LOOPBACK_NAMES:
        return reached.is_loopback
    if name == socket.gethostname().lower():
        return True
    try:
        return ip(name) == reached
    except ValueError:
        return False
