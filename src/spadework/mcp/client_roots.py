"""The folders that a client offers (MCP roots), asked for only when a reference needs them.

Until 2025-11-25 the server sends `roots/list` itself; since 2026-07-28 it answers the call with
an input request, and the client calls again with the answer (SEP-2577).
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from mcp.shared.exceptions import MCPError
from mcp_types import InputRequiredResult, ListRootsRequest, ListRootsResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from spadework.engine.job import Postponed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.context import ServerRequestContext
    from mcp_types import CallToolRequestParams

    Context = ServerRequestContext[Any, Any]

log = logging.getLogger(__name__)

_KEY = "roots"
_ANSWER_SECONDS = 10.0


class RootsWanted(Postponed):
    """The client must be asked for its folders before the call can go on."""

    def __init__(self) -> None:
        super().__init__()
        self.question = InputRequiredResult(input_requests={_KEY: ListRootsRequest()})


class ClientRoots:
    """Remembers, for one connection, the folders that its client offered."""

    def __init__(self) -> None:
        self._known: tuple[Path, ...] | None = None

    def asker(
        self, context: Context, params: CallToolRequestParams
    ) -> Callable[[], Awaitable[tuple[Path, ...]]] | None:
        """Return how to ask this client; None if it offers no folders."""
        capabilities = context.session.client_capabilities
        if capabilities is None or capabilities.roots is None:
            return None

        async def ask() -> tuple[Path, ...]:
            if self._known is None:
                self._known = _folders(await _answer(context, params))
            return self._known

        return ask

    def forget(self) -> None:
        """Forget the folders: the client says that they have changed."""
        self._known = None


async def _answer(context: Context, params: CallToolRequestParams) -> ListRootsResult:
    """Ask the client. A bad answer, or none, offers nothing: the refusal itself is then told."""
    given = (params.input_responses or {}).get(_KEY)
    if isinstance(given, ListRootsResult):
        return given
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        raise RootsWanted
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await context.session.send_request(ListRootsRequest(), ListRootsResult)
    except (MCPError, ValidationError, TimeoutError) as error:
        log.warning("the client did not tell its folders: %s", error)
        return ListRootsResult(roots=[])


def _folders(result: ListRootsResult) -> tuple[Path, ...]:
    """Turn file: addresses into folders; anything else is no folder of ours."""
    parsed = [urlparse(str(root.uri)) for root in result.roots]
    return tuple(Path(url2pathname(one.path)) for one in parsed if one.scheme == "file")
