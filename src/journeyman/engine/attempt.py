"""One model, one try: fit, stream, check."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from journeyman.answers.checks import Checked, Reply, check_reply, label_schema
from journeyman.backends.base import ChatRequest, Usage
from journeyman.engine.fitting import explain_excess, fit
from journeyman.engine.values import Figures, Progress
from journeyman.errors import BackendUnavailable, ContextExceeded, RequestRejected

if TYPE_CHECKING:
    from journeyman.backends.base import Backend, Message, ModelInfo
    from journeyman.config.models import ToolConfig
    from journeyman.engine.values import Listener


@dataclass(slots=True)
class Streamed:
    """What a stream has brought so far."""

    started: float
    pieces: list[str] = field(default_factory=list)
    count: int = 0
    thinking: bool = False
    first_token: float | None = None
    finish: str = ""
    usage: Usage = field(default_factory=Usage)

    def figures(self) -> Figures:
        """The figures of this try so far."""
        return Figures(
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            first_token_seconds=self.first_token,
            seconds=time.monotonic() - self.started,
        )


async def attempt(
    backend: Backend,
    info: ModelInfo,
    messages: tuple[Message, ...],
    tool: ToolConfig,
    max_tokens: int,
    listener: Listener,
) -> tuple[Checked, Figures]:
    """Ask one model and check what it says.

    Raises:
        BackendError: it could not be asked, or broke off.
        CheckFailed: what it said is no answer.
    """
    streamed = Streamed(started=time.monotonic())
    listener.progress(Progress("asking", f"asking {info.id}"))
    try:
        async with asyncio.timeout(tool.timeout):
            fitting = await fit(backend, info, messages, max_tokens)
            request = ChatRequest(
                model=info.name,
                messages=messages,
                max_tokens=fitting.max_tokens,
                temperature=tool.temperature,
                schema=label_schema(tool.labels),
            )
            await _stream_constrained(backend, request, streamed, listener)
    except TimeoutError:
        raise BackendUnavailable(
            f"no whole answer within {tool.timeout:g} s",
            backend=info.backend,
            model=info.name,
            hint="raise the tool's timeout, or ask for a shorter answer",
        ) from None
    except ContextExceeded as error:
        if error.tokens is None or error.window is None or "would fit" not in str(error):
            raise explain_excess(error, info, messages, max_tokens) from error
        raise
    reply = Reply(
        text="".join(streamed.pieces),
        finish=streamed.finish,
        max_tokens=fitting.max_tokens,
        had_thinking=streamed.thinking,
        prompt_tokens=streamed.usage.prompt_tokens,
        expected_tokens=fitting.least_tokens,
        expected_source=fitting.source,
    )
    return check_reply(reply, labels=tool.labels), streamed.figures()


async def _stream_constrained(
    backend: Backend,
    request: ChatRequest,
    streamed: Streamed,
    listener: Listener,
) -> None:
    """Stream with the schema; without it where the server does not know schemas."""
    try:
        await _stream(backend, request, streamed, listener)
    except RequestRejected:
        if request.schema is None or streamed.count:
            raise
        await _stream(backend, replace(request, schema=None), streamed, listener)


async def _stream(
    backend: Backend,
    request: ChatRequest,
    streamed: Streamed,
    listener: Listener,
) -> None:
    name = f"{backend.name}/{request.model}"
    async with aclosing(backend.chat(request)) as chunks:
        async for chunk in chunks:
            if chunk.text or chunk.thinking:
                if streamed.first_token is None:
                    streamed.first_token = time.monotonic() - streamed.started
                streamed.count += 1
                streamed.thinking = streamed.thinking or bool(chunk.thinking)
                listener.progress(Progress("answering", _standing(name, streamed), streamed.count))
            if chunk.text:
                streamed.pieces.append(chunk.text)
                listener.text(chunk.text)
            if chunk.finish:
                streamed.finish = chunk.finish
            if chunk.usage:
                streamed.usage = chunk.usage


def _standing(name: str, streamed: Streamed) -> str:
    doing = "thinking" if streamed.thinking and not streamed.pieces else "answering"
    return f"{name} is {doing}: {streamed.count} token{'' if streamed.count == 1 else 's'}"
