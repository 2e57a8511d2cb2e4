"""Who is let in: Host and Origin against web pages that aim at us, then the bearer token."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journeyman.errors import ConfigError
from journeyman.server.http.address import ip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from journeyman.config.models import HttpConfig
    from journeyman.server.http.tokens import Tokens

_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?::[0-9]{0,5})?")
_BEARER = re.compile(r"[Bb]earer +(?P<token>[!-~]+) *")
_LOOPBACK_NAMES = frozenset({"localhost"})


class TurnedAway(Exception):
    """A request that is not let in, with what it is told.

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
class Guard:
    """Judges a request by its headers.

    Args:
        host: what the server was told to listen at.
        tokens: whom it knows.
        needs_token: whether a caller must be known.
        config: gives the config's section as it is now.
    """

    host: str
    tokens: Tokens
    needs_token: bool
    config: Callable[[], HttpConfig]

    def admit(self, scope: Mapping[str, Any]) -> str:
        """Let a request in.

        Returns:
            Who calls: the name of the token, else the client's address.

        Raises:
            TurnedAway: it is not let in.
        """
        headers = scope["headers"]
        host = self._checked_host(_values(headers, b"host"), scope)
        self._check_origin(_values(headers, b"origin"), host)
        owner = self._owner(_values(headers, b"authorization"))
        client = scope.get("client")
        return owner or (client[0] if client else "unknown")

    def _checked_host(self, values: list[str], scope: Mapping[str, Any]) -> str:
        """A page whose name was made to lead here (DNS rebinding) still says that name."""
        host = values[0].lower() if len(values) == 1 else ""
        match = _HOST.fullmatch(host)
        name = match["name"].rstrip(".").strip("[]") if match else ""
        own = {self.host.lower(), *map(str.lower, self.config().allowed_hosts)}
        if not name or (name not in own and not _is_at(name, scope)):
            raise TurnedAway(
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
                raise TurnedAway(
                    403, f"web pages of {origin} may not call; http.allowed_origins lists who may"
                )

    def _owner(self, values: list[str]) -> str | None:
        if not self.needs_token and not values:
            return None
        match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
        try:
            owner = self.tokens.owner(match["token"]) if match else None
        except ConfigError as error:
            raise TurnedAway(500, "the server cannot read its tokens") from error
        if owner or not self.needs_token:
            return owner
        challenge = 'Bearer realm="journeyman"' + (', error="invalid_token"' if match else "")
        reason = "this token is not known" if match else "a bearer token is needed"
        raise TurnedAway(401, reason, www_authenticate=challenge)


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
