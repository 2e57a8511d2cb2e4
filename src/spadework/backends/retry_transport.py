"""Retries a request that was lost on its way: no byte of an answer came.

Servers close idle connections, and do so while the next request is under way: llama.cpp's loses
about two of a hundred requests of a busy client that way, and a gateway before it answers with an
empty 502. The model may have read the prompt by then; no answer has arrived, so a retry is safe.
"""

from __future__ import annotations

import re
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx2
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

    Attempt = Callable[[], Awaitable[httpx2.Response]]

ATTEMPTS = 4
"""How often a request is sent at most."""

KEEP_ALIVE = 4.0
"""Seconds for which an idle connection is kept: less than the 5 s after which uvicorn and llama.cpp
close theirs. A server that announces less gets no second request on a connection."""

_FIRST_PAUSE = 0.05  # seconds; doubled with each attempt, and drawn at random below that
_LONGEST_PAUSE = 1.0
_LONGEST_LOST = 5.0
"""Seconds: a gateway that took longer to give up has waited for the model, which may go on."""
_LONGEST_PHRASE = 32
"""Bytes of a plain text with which a gateway says no more than its status."""
GATEWAY_ERRORS = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
HUNG_UP = ("disconnected", "peer closed")
"""Words of a protocol error that mean no more than a closed connection."""


class RetryTransport(httpx2.AsyncBaseTransport):
    """Sends lost requests again; what it raises or returns is what the last attempt brought.

    Args:
        wrapped: sends a request once; it is closed with this one.
    """

    def __init__(self, wrapped: httpx2.AsyncBaseTransport) -> None:
        self.wrapped = wrapped
        self.closes_early = False
        """Whether the server announced a limit for idle connections below `KEEP_ALIVE`."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, again if it is lost."""
        if self.closes_early:
            request.headers["Connection"] = "close"
        response = await _send(partial(self.wrapped.handle_async_request, request))
        limit = _announced_limit(response.headers)
        self.closes_early = self.closes_early or (limit is not None and limit <= KEEP_ALIVE)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self.wrapped.aclose()


async def _send(attempt: Attempt) -> httpx2.Response:
    begun = time.monotonic()
    try:
        response = await attempt()
    except httpx2.TransportError as error:
        if not is_lost(error):
            raise
    else:
        took_long = time.monotonic() - begun > _LONGEST_LOST
        if took_long or not is_empty_gateway_error(response):
            return response
        await response.aclose()
    return await _send_again(attempt)


async def _send_again(attempt: Attempt) -> httpx2.Response:
    async def close(state: RetryCallState) -> None:
        if state.outcome and not state.outcome.failed:
            await state.outcome.result().aclose()

    pause = wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)
    retrying = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS - 1),
        wait=pause,
        retry=retry_if_exception(is_lost) | retry_if_result(is_empty_gateway_error),
        before_sleep=close,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    return await retrying(attempt)


def is_lost(error: BaseException) -> bool:
    """Tell whether a connection broke after it was made and before any of an answer came.

    No connection at all is another matter, and so is an answer that is not HTTP.
    """
    if isinstance(error, httpx2.RemoteProtocolError):
        return any(words in str(error) for words in HUNG_UP)
    return isinstance(error, httpx2.ReadError | httpx2.WriteError | httpx2.CloseError)


def is_empty_gateway_error(response: httpx2.Response) -> bool:
    """Tell whether a gateway says no more than that it got no answer.

    A gateway has no JSON to say it with; a model server that refuses or still loads has.
    """
    if response.status_code not in GATEWAY_ERRORS:
        return False
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    size = response.headers.get("content-length", "")
    is_short = size.isdecimal() and int(size) <= _LONGEST_PHRASE
    return size == "0" or media == "text/html" or (media in {"", "text/plain"} and is_short)


def _announced_limit(headers: httpx2.Headers) -> int | None:
    """Read `Keep-Alive: timeout=5`, in seconds."""
    match = re.search(r"(?:^|[,;\s])timeout=(\d{1,6})(?!\d)", headers.get("keep-alive", ""))
    return int(match[1]) if match else None
