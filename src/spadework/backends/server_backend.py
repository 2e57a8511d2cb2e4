"""What all servers have in common: how they are asked, how replies are read and models judged."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.backends.base import TokenChoice
from spadework.backends.error_translation import (
    RequestContext,
    cut_stream,
    error_from_exception,
    response_to,
    translate_errors,
)
from spadework.backends.http_clients import http_client, root_url
from spadework.backends.trust import decide, presume, worst
from spadework.errors import BackendError
from spadework.util.http_client import LARGEST_DOCUMENT, replies_up_to

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
    )

    import httpx2

    from spadework.backends.backend_traits import BackendTraits
    from spadework.backends.base import Backend, BackendSettings, Chunk, Message, ModelInfo
    from spadework.backends.trust import Evidence

Piece = TypeVar("Piece")

_TOO_MANY = 10**12  # tokens; more than any model reads in its life

QUESTION_TIMEOUT = 15.0
"""Seconds for what no model runs for, once connected: a list, a description, a count of tokens."""


class ServerBackend:
    """A server that is asked over HTTP; its kinds differ in what they are asked.

    Args:
        settings: the backend, its key resolved.
        socket: the path of the unix socket on which the server listens, instead of a port.
    """

    kind: str
    traits: BackendTraits
    liveness_path: str
    windows_change = False
    _headers: Mapping[str, str] = MappingProxyType({"Accept": "application/json"})

    def __init__(self, settings: BackendSettings, *, socket: str | None = None) -> None:
        self.name = settings.name
        self.first_token_timeout = settings.first_token_timeout
        self.idle_timeout = settings.idle_timeout
        self.unusable_names = 0
        self._settings = settings
        self._socket = socket
        self._leaked: dict[str, Evidence] = {}
        """Models that were taken for local and answered from elsewhere."""

    async def refreshed(self, info: ModelInfo) -> ModelInfo:
        """Return it as it is."""
        return info

    async def probe(self) -> None:
        """Ask `liveness_path` for a sign of life; any answer is one.

        Raises:
            Unreachable: nothing answers.
            BackendError: no answer comes, or it is not HTTP.
        """
        await sign_of_life(self._asked(), lambda: self._request(self.liveness_path))

    def presumed(self, model: str) -> Evidence | None:
        """Say of a model, or of all ("*"), that it is not local where that needs no asking."""
        return presume(f"{self.name}/{model}", self._settings.url, self._settings.rules)

    def is_like(self, other: Backend) -> bool:
        """Tell whether another one is of the same kind and was opened with the same settings."""
        if not isinstance(other, ServerBackend) or type(other) is not type(self):
            return False
        return other._settings == self._settings  # noqa: SLF001 - it is of this very class

    async def close(self) -> None:
        """Close the connections."""
        if wire := self.__dict__.pop("_wire", None):
            await wire.aclose()

    @cached_property
    def _wire(self) -> httpx2.AsyncClient:
        return http_client(self._settings, self._socket)

    async def _request(self, path: str, body: object = None) -> httpx2.Response:
        """Send a GET to a path below the server's root, or a POST with a body in JSON."""
        method = "GET" if body is None else "POST"
        url = root_url(self._settings.url) + path
        return await self._wire.request(method, url, json=body, headers=self._headers)

    async def _ask(self, path: str, body: object = None, model: str = "") -> Any:
        """Ask for JSON; what is not JSON is given as text.

        Raises:
            BackendError: the server does not answer, or refuses.
        """
        async with request_timeout(self._asked(model)):
            response = await self._request(path, body)
            response.raise_for_status()
            self._notice(response.headers)
            try:
                return response.json()
            except ValueError:
                return response.text

    def _notice(self, headers: Mapping[str, str]) -> None:
        """Learn what the headers of a reply tell of the server."""

    def _asked(self, model: str = "") -> RequestContext:
        return RequestContext(self.kind, self._settings, self.traits, model)

    def _judged(self, info: ModelInfo, evidence: Evidence) -> ModelInfo:
        """Add the trust that follows from the evidence, the answers so far and the config."""
        leaked = [self._leaked[one] for one in (info.name, *info.aliases) if one in self._leaked]
        found = decide(info.id, worst([evidence, *leaked]), self._settings.rules)
        return replace(info, trust=found.trust, trust_source=found.source)


@asynccontextmanager
async def request_timeout(asked: RequestContext) -> AsyncGenerator[None, None]:
    """Hold a question to its time and size, and turn whatever goes wrong into one fault."""
    with translate_errors(asked), replies_up_to(LARGEST_DOCUMENT):
        async with asyncio.timeout(QUESTION_TIMEOUT + asked.settings.connect_timeout):
            yield


async def sign_of_life(asked: RequestContext, ask: Callable[[], Awaitable[object]]) -> None:
    """Ask a question to which any answer will do, a refusal too.

    Raises:
        BackendError: there was none.
    """
    async with request_timeout(asked):
        try:
            await ask()
        except Exception as error:
            if response_to(error) is None:
                raise


def as_json(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return messages in the chat APIs' form; lone surrogates, invalid in UTF-8, become `?`."""
    return [
        {"role": message.role, "content": message.content.encode(errors="replace").decode()}
        for message in messages
    ]


async def stream_chunks(
    asked: RequestContext, pieces: AsyncIterator[Piece], read: Callable[[Piece], Chunk | None]
) -> AsyncGenerator[Chunk, None]:
    """Turn a server's stream into chunks, and whatever breaks it into one fault.

    Args:
        asked: whom we asked for what.
        pieces: what a client library yields.
        read: makes a chunk of a piece, None of one that says nothing; it raises `UnexpectedReply`
            if the piece is not what the protocol says.

    Raises:
        CutStream: the stream broke off or ended before a chunk with `finish`. What happens
            after that chunk is harmless: the reply is complete.
        BackendError: the stream contained an error, or is not such a stream.
    """
    started = finished = False
    try:
        async for piece in pieces:
            chunk = read(piece)
            if chunk is None:
                continue
            started = started or bool(chunk.text or chunk.thinking)
            finished = finished or chunk.finish is not None
            yield chunk
    except BackendError:
        raise
    # The libraries let through what httpx, json and pydantic raise, and stumble over odd replies.
    except Exception as error:  # noqa: BLE001 - all of it means that the stream failed
        if not finished:
            raise error_from_exception(asked, error, started=started) from None
    if not finished:
        raise cut_stream(asked)


def as_count(value: object) -> int | None:
    """Take a server's word for a number of tokens; None for what can be none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < _TOO_MANY else None


def as_tokens(data: object) -> tuple[TokenChoice, ...]:
    """Read a list of tokens with their probabilities, as OpenAI's API and Ollama's write it.

    What is not of that form is left out: nobody loses an answer by an odd figure.
    """
    entries = data if isinstance(data, list) else ()
    tokens = []
    for entry in entries:
        if (one := _token(entry)) is None:
            continue
        shown = entry.get("top_logprobs")
        others = map(_token, shown if isinstance(shown, list) else ())
        tokens.append(TokenChoice(*one, tuple(other for other in others if other)))
    return tuple(tokens)


def _token(entry: Any) -> tuple[bytes, float] | None:
    if not isinstance(entry, dict):
        return None
    text, signs, logprob = (entry.get(key) for key in ("token", "bytes", "logprob"))
    if isinstance(logprob, bool) or not isinstance(logprob, int | float) or math.isnan(logprob):
        return None
    if isinstance(signs, list):  # a token that is a part of a sign has its bytes alone
        try:
            return bytes(signs), logprob
        except (TypeError, ValueError):
            return None
    return (text.encode(errors="replace"), logprob) if isinstance(text, str) else None
