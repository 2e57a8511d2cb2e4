"""Short words for tests that ask a backend."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from spadework.backends.base import BackendSettings, ChatRequest, Chunk, Message

if TYPE_CHECKING:
    from spadework.backends.base import Backend

DEAD_URL = "http://127.0.0.1:9"
"""Nothing listens there."""


def settings(url: str, *, api_key: str | None = None, **changes: Any) -> BackendSettings:
    """Settings of a backend named koala; `api_key` is the process's own."""
    fields = {"name": "koala", "url": url, "own_key": api_key, "key_hint": "set KOALA_KEY"}
    timeouts = {"first_token_timeout": 10.0, "idle_timeout": 10.0}
    return BackendSettings(**fields | timeouts | changes)


def request(model: str = "llama3-local", prompt: str = "hi", **changes: Any) -> ChatRequest:
    """A short request."""
    fields = {"model": model, "messages": (Message("user", prompt),), "max_tokens": 64}
    return ChatRequest(**fields | changes)


async def chunks(backend: Backend, asked: ChatRequest | None = None) -> list[Chunk]:
    """Stream a whole reply."""
    async with aclosing(backend.chat(asked or request())) as stream:
        return [chunk async for chunk in stream]


async def text(backend: Backend, asked: ChatRequest | None = None) -> str:
    """Stream a whole reply and join its text."""
    return "".join(chunk.text for chunk in await chunks(backend, asked))
