"""The sessions of the older revision: the SDK's, with a limit for each caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.streamable_http import StreamableHTTPServerTransport

    from spadework.config.models import HttpConfig
    from spadework.mcp.http.quotas import Quotas

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
