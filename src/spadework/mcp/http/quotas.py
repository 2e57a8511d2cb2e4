"""Quotas for each caller, so that one caller cannot exhaust the server; sessions have one too."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from spadework.mcp.http.guard import HttpRejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server import Server
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.streamable_http import StreamableHTTPServerTransport

    from spadework.config.models import HttpConfig
    from spadework.mcp.http.guard import Caller

_MOST_SESSIONS = 1000


class Sessions(StreamableHTTPSessionManager):
    """Opens sessions, and ends those that are idle.

    Args:
        server: what they all talk to.
        config: the config's section.
        quotas: how many sessions a caller may have.
    """

    def __init__(self, server: Server[object], config: HttpConfig, quotas: Quotas) -> None:
        super().__init__(
            server,
            max_request_body_size=config.max_body_bytes,
            max_sessions=_MOST_SESSIONS,
            session_idle_timeout=config.session_timeout,
        )
        self._quotas = quotas

    def _admit_session(
        self, requestor: AuthorizationContext | None
    ) -> StreamableHTTPServerTransport | None:
        # The SDK has one limit for all clients together, and no public place for another.
        self._quotas.check_sessions(sum(one == requestor for one in self._session_owners.values()))
        return super()._admit_session(requestor)


RETRY_AFTER_SECONDS = 5


class Quotas:
    """What is under way, by caller.

    Args:
        config: gives the config's section as it is now.
    """

    def __init__(self, config: Callable[[], HttpConfig]) -> None:
        self._config = config
        self._calls: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()

    @property
    def calls(self) -> int:
        """The requests under way, of all callers."""
        return self._calls.total()

    def begin_call(self, caller: Caller) -> Callable[[], None]:
        """Count a request; returns what ends it.

        Raises:
            HttpRejected: there are too many of all callers, or of this one.
        """
        if self.calls >= self._config().max_calls:
            raise refusal(503, "too many requests at once")
        most = self._config().max_calls_per_token
        return _counted(self._calls, caller, most, "requests at once")

    def begin_stream(self, caller: Caller) -> Callable[[], None]:
        """Count a stream that waits for notifications; returns what ends it.

        Raises:
            HttpRejected: this caller has too many.
        """
        most = self._config().max_streams_per_token
        return _counted(self._streams, caller, most, "streams at once")

    def check_sessions(self, opened: int) -> None:
        """See that a caller may open another session.

        Args:
            opened: how many it has open.

        Raises:
            HttpRejected: these are enough.
        """
        if opened >= self._config().max_sessions_per_token:
            raise refusal(429, f"this caller has {opened} sessions open: end one first")


def refusal(status: int, reason: str) -> HttpRejected:
    """The error for a client that exceeds its quota."""
    return HttpRejected(status, reason, retry_after=str(RETRY_AFTER_SECONDS))


def _counted(counter: Counter[str], caller: Caller, most: int, what: str) -> Callable[[], None]:
    if counter[caller.identity] >= most:
        raise refusal(429, f"this caller has {most} {what}: no more are taken")
    counter[caller.identity] += 1

    def end() -> None:
        counter[caller.identity] -= 1
        if not counter[caller.identity]:
            del counter[caller.identity]

    return end
