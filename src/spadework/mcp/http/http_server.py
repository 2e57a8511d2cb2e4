"""The HTTP server: one socket, authentication, and the SDK's streamable HTTP transport."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp_types import INVALID_REQUEST

from spadework.config.api_keys import window_keys
from spadework.errors import ArgumentError, ConfigError
from spadework.mcp.http.access_tokens import BEARER, TokenStore
from spadework.mcp.http.connections import HttpProtocol
from spadework.mcp.http.exchange import Exchange
from spadework.mcp.http.guard import Guard, HttpRejected
from spadework.mcp.http.http_connection import HttpConnection
from spadework.mcp.http.listen_address import PATH, bind, is_loopback, parse_address, url_of
from spadework.mcp.http.quotas import Quotas, Sessions
from spadework.mcp.http.web_server import WebServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from spadework.config.models import HttpConfig
    from spadework.mcp.http.exchange import Receive, Scope, Send
    from spadework.mcp.reloading_engine import ReloadingEngine

log = logging.getLogger(__name__)

DEFAULT_LISTEN = "127.0.0.1:8765"
_LAST_EVENT_ID = b"last-event-id"
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_ANSWER = 1.0
"""Time to notify waiting clients once the server stops."""
_SECONDS_TO_READ = 2
"""Time limit for a client that does not read."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How a server is opened; the rest is the config's, and is followed while it changes.

    Args:
        listen: `HOST:PORT`.
        require_token: whether a token is needed on loopback too.
        keys: of the environment of who opens it, by the variable's name.
    """

    listen: str = DEFAULT_LISTEN
    require_token: bool = False
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


class HttpServer:
    """Serves MCP over HTTP from `start` to `stop`; good for one time."""

    def __init__(self, live: ReloadingEngine, settings: HttpSettings) -> None:
        self._live = live
        self._settings = settings
        self.connection = HttpConnection(live, settings.keys, self._tell)
        self._tokens = TokenStore()
        self._exchanges: set[Exchange] = set()
        self._quotas = Quotas(self._config)
        self._guard: Guard | None = None
        self._sessions: Sessions | None = None
        self._server: WebServer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def needs_token(self) -> bool:
        """Whether clients must present a token."""
        return self._guard is not None and self._guard.needs_token

    @property
    def calls(self) -> int:
        """How many requests are under way; those that only listen do not count."""
        return self._quotas.calls

    async def start(self) -> str:
        """Listen; return the address of the server's one page, as a client writes it.

        Raises:
            ArgumentError: the address cannot be used, or needs a token and there is none.
            ConfigError: the file of tokens cannot be read.
        """
        address = parse_address(self._settings.listen)
        bound = bind(address)
        try:
            needs_token = self._token_needed(bound)
            url = url_of(address, bound)
        except BaseException:
            bound.close()
            raise
        self._guard = Guard(address.host, self._tokens, needs_token, self._config)
        self._sessions = Sessions(self.connection.server, self._config(), self._quotas)
        self._server = WebServer(self._answer, self._config)
        self._task = asyncio.create_task(self._run(self._server, self._sessions, bound))
        await self._server.until_ready(self._task)
        log.info("serving MCP at %s", url)
        return url

    async def stop(self) -> None:
        """Stop: calls under way end as cancelled, and their clients are told."""
        if self._task is None or self._server is None:
            return
        for exchange in tuple(self._exchanges):
            if exchange.is_standing:
                exchange.hang_up()
            else:
                exchange.stop()
        self.connection.stop_listening()
        self._server.should_exit = True
        await asyncio.wait((self._task,), timeout=_SECONDS_TO_ANSWER)
        for exchange in tuple(self._exchanges):
            exchange.hang_up()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until_closed(self) -> None:
        """Wait until it is stopped, or its server ends for another reason."""
        if self._task:
            await asyncio.wait((self._task,))

    def _token_needed(self, bound: socket.socket) -> bool:
        """Tell whether callers must be known; then there must be somebody to know."""
        local = is_loopback(bound)
        is_proxied = bool(self._config().trusted_proxies)
        needed = self._settings.require_token or is_proxied or not local
        if needed and not self._tokens.all():
            raise _no_token(self._settings.listen, loopback=local)
        return needed

    def _config(self) -> HttpConfig:
        return self._live.engine.config.http

    async def _run(self, server: WebServer, sessions: Sessions, bound: socket.socket) -> None:
        window_keys.set(self._settings.keys)  # every task of this face inherits it
        watching = asyncio.gather(
            self._live.watch(self.connection.project, self.connection.tools_changed),
            self._follow_tokens(),
        )
        try:
            async with sessions.run():
                await server.serve([bound])
        finally:
            bound.close()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _follow_tokens(self) -> None:
        """End for ever what a token holds that has been revoked."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            with suppress(ConfigError):  # new requests are refused then; those that run may end
                self._end_revoked({token.identity for token in self._tokens.all()})

    def _end_revoked(self, known: set[str]) -> None:
        def may_go_on(identity: str) -> bool:
            return identity in known or not identity.startswith(BEARER)

        for exchange in tuple(self._exchanges):
            if not may_go_on(exchange.caller.identity):
                exchange.hang_up()
        self._live.tasks.cancel_unless(may_go_on)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: this is what the web server calls."""
        try:
            await self._admit(scope, receive, send)
        except HttpRejected as refusal:
            await _refuse(refusal, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request if it is let in.

        Raises:
            HttpRejected: it is not; nothing has been sent.
        """
        assert self._guard is not None  # noqa: S101 - nothing is served before `start`
        assert self._sessions is not None  # noqa: S101 - likewise
        if scope["path"].rstrip("/") != PATH:
            raise HttpRejected(404, f"there is nothing but {PATH} here")
        caller = self._guard.admit(scope)
        HttpProtocol.of(scope).is_known = True
        begin_stream = partial(self._quotas.begin_stream, caller)
        exchange = Exchange(scope, receive, send, caller)
        if scope["method"] == "POST":
            exchange.hold(self._quotas.begin_call(caller), begin_stream)
        else:
            exchange.hold(begin_stream())
        # The SDK then lets nobody else into the sessions that this caller opens.
        user = AccessToken(token="", client_id=caller.identity, scopes=[])
        scope["user"] = AuthenticatedUser(user)
        # No events are kept, so there is none to resume after: the stream begins anew.
        scope["headers"] = [one for one in scope["headers"] if one[0] != _LAST_EVENT_ID]
        self._exchanges.add(exchange)
        try:
            await exchange.run(self._sessions.handle_request)
        finally:
            self._exchanges.discard(exchange)

    async def _tell(self, notification: dict[str, Any]) -> None:
        """Tell the clients of the older revision, on the streams that they hold open for it."""

        async def tell(stream: Exchange) -> None:
            with suppress(TimeoutError):  # it does not read; still notify the others
                async with asyncio.timeout(_SECONDS_TO_READ):
                    await stream.tell(notification)

        await asyncio.gather(*(tell(one) for one in self._exchanges if one.is_standing))


async def _refuse(refusal: HttpRejected, send: Send) -> None:
    error = {"code": INVALID_REQUEST, "message": str(refusal)}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    headers = {"content-type": "application/json", **refusal.headers}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _no_token(address: str, *, loopback: bool) -> ArgumentError:
    if loopback:
        return ArgumentError(
            "a token is required, and there is none", hint="`spadework token new` makes one"
        )
    return ArgumentError(
        f"other machines can reach {address}, but no access token exists",
        hint="`spadework token new` makes one; or listen on 127.0.0.1",
    )
