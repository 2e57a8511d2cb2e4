"""A client of the Claude API, built on the official SDK: one request, one streamed reply."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2

from spadework.engine.prompt_messages import DATA_NOTICE, material_blocks
from spadework.errors import BadReply, CheckFailed, SpadeworkError
from spadework.pipelines.claude_api.api_errors import BACKEND, translated
from spadework.pipelines.claude_api.request import PricedTokens
from spadework.util.http_client import async_hooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anthropic.types import Message

    from spadework.pipelines.claude_api.access import Access
    from spadework.pipelines.claude_api.request import ClaudeRequest

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(slots=True)
class Sending:
    """One call in progress in the SDK, which may send it more than once.

    `again` is awaited before it is sent once more although nobody saw the end of the last time;
    what it raises ends the call. `unseen` tells whether the last send may have been charged.
    """

    again: Callable[[], Awaitable[None]]
    unseen: bool = False


_SENDING: ContextVar[Sending | None] = ContextVar("sending", default=None)


@contextmanager
def watched(sending: Sending) -> Iterator[None]:
    """Watch what is sent inside this block."""
    token = _SENDING.set(sending)
    try:
        yield
    finally:
        _SENDING.reset(token)


class ClaudeClient:
    """An `AsyncAnthropic` with a validated key; it takes no other settings from the environment."""

    def __init__(self, access: Access, *, max_retries: int) -> None:
        self.sdk = anthropic.AsyncAnthropic(
            api_key=access.key,  # given, so the SDK takes no other credential
            base_url=access.address,
            max_retries=max_retries,
            http_client=anthropic.DefaultAsyncHttpxClient(event_hooks=async_hooks(httpx2)),
            middleware=[_watch],
        )

    async def ask(self, request: ClaudeRequest) -> Message:
        """Ask, and wait for the end of the reply; it is streamed, so it may take long.

        Raises:
            BackendError: the API refused it or could not be reached.
            CutStream: the reply has no end.
        """
        with translating(request.model):
            async with self.sdk.messages.stream(**parameters(request)) as stream:
                message = await stream.get_final_message()
        if message.stop_reason is None:
            raise translated(EOFError("no stop_reason"), request.model)
        return message

    async def count(self, request: ClaudeRequest) -> int:
        """Count the tokens of a question; this costs nothing.

        Raises:
            BackendError: the API refused it or could not be reached.
        """
        asked = {name: one for name, one in parameters(request).items() if name != "max_tokens"}
        with translating(request.model):
            return (await self.sdk.messages.count_tokens(**asked)).input_tokens

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


def parameters(request: ClaudeRequest) -> dict[str, Any]:
    """Write a question as the API takes it; what calls share stands first, and is cached.

    Thinking is not asked for; what a model thinks by itself counts within `max_tokens`.
    """
    content: list[dict[str, Any]] = []
    if request.shared:
        (shared,) = material_blocks((), {"shared": request.shared})
        text = f"{DATA_NOTICE}\n\n{shared}"
        content.append({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
    parts = material_blocks((), dict(request.material))
    if parts and not request.shared:
        parts.insert(0, DATA_NOTICE)
    content.append({"type": "text", "text": "\n\n".join([*parts, request.prompt])})
    asked: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [{"role": "user", "content": content}],
    }
    if request.system:
        asked["system"] = request.system
    return asked


def tokens_of(message: Message) -> PricedTokens:
    """Return what the API counted."""
    usage = message.usage
    return PricedTokens(
        read=usage.input_tokens,
        written=usage.output_tokens,
        cache_read=usage.cache_read_input_tokens or 0,
        cache_written=usage.cache_creation_input_tokens or 0,
    )


def text_of(message: Message, request: ClaudeRequest) -> str:
    """Return the reply's text.

    Raises:
        CheckFailed: it was cut off, or refused, or is empty.
        BadReply: it ended in a way that this question cannot lead to.
    """
    text = "".join(block.text for block in message.content if block.type == "text").strip()
    match message.stop_reason:
        case "max_tokens":
            raise CheckFailed(
                "whole",
                f"claude/{request.model}: the reply was cut off after {request.max_tokens} tokens",
                hint="give it more with max_tokens, or ask for less",
            )
        case "model_context_window_exceeded":
            text = f"claude/{request.model}: the reply was cut off: the model's window is full"
            raise CheckFailed("whole", text, hint="give it less material")
        case "refusal":
            text = f"claude/{request.model}: the model refused to answer"
            raise CheckFailed("refusal", text)
        case "end_turn" | "stop_sequence":
            pass
        case other:
            said = f"the reply ended with {other!r}"
            raise BadReply(said, backend=BACKEND, model=request.model)
    if not text:
        raise CheckFailed("empty", f"claude/{request.model}: the reply is empty")
    return text


@contextmanager
def translating(model: str) -> Iterator[None]:
    """Turn what the SDK, or the HTTP client below it, raises inside this block into our errors."""
    try:
        yield
    except SpadeworkError:
        raise
    except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:
        raise translated(error, model) from error


async def _watch(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """Stand around each single attempt that the SDK makes."""
    sending = _SENDING.get()
    if sending is None:
        return await call_next(request)
    if sending.unseen:
        await sending.again()
    sending.unseen = True
    try:
        response = await call_next(request)
    except anthropic.APIConnectionError as error:
        sending.unseen = not isinstance(error.__cause__, _NEVER_SENT)
        raise
    # An error of the API is its end, without a charge; of a reply the end is still to come.
    sending.unseen = not response.http_response.is_error
    return response
