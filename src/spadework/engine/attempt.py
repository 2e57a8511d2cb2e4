"""One attempt with one model: fit the prompt, stream the reply, check it."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spadework.backends.base import ChatRequest, ModelInfo, Usage
from spadework.checks.labels import ALTERNATIVES
from spadework.checks.reply_checks import REPAIRABLE, ModelReply, check_reply
from spadework.checks.reply_markup import split_thinking
from spadework.engine.context_fit import explain_excess, fit
from spadework.engine.job import Figures, Progress
from spadework.engine.prompt_messages import ResponseFormat, for_repair
from spadework.engine.thread_pools import CHECKING
from spadework.errors import (
    BackendUnavailable,
    BadReply,
    CheckFailed,
    ContextExceeded,
    DeadlinePassed,
    RequestRejected,
)
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.backends.base import Backend, Chunk, Message, TokenChoice
    from spadework.checks.answer_check import AnswerRequirements, ValidatedReply
    from spadework.engine.job import Listener

# No token is longer on average, blanks included; a server that sends more ignores max_tokens.
_MOST_CHARACTERS_OF_A_TOKEN = 32
_SLACK_CHARACTERS = 8192
_LONG_MATERIAL = 100_000  # characters; looking quotations up in more takes a while


@dataclass(slots=True)
class Streamed:
    """What a stream has brought so far."""

    started: float
    on_first_token: Callable[[], None]
    pieces: list[str] = field(default_factory=list)
    tokens: list[TokenChoice] = field(default_factory=list)
    count: int = 0
    thinking: bool = False
    first_token: float | None = None
    finish: str = ""
    usage: Usage = field(default_factory=Usage)
    size: int = 0

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk; what a server says after it has finished is not part of the reply."""
        if chunk.usage:
            self.usage = chunk.usage
        if self.finish:
            return
        if chunk.text or chunk.thinking:
            if self.first_token is None:
                self.first_token = time.monotonic() - self.started
                self.on_first_token()
            self.count += 1
            self.size += len(chunk.text) + len(chunk.thinking)
            self.thinking = self.thinking or bool(chunk.thinking)
        if chunk.text:
            self.pieces.append(chunk.text)
        if not chunk.thinking:
            self.tokens += chunk.tokens
        self.finish = chunk.finish or ""

    def figures(self) -> Figures:
        """The figures of this try so far."""
        seconds = time.monotonic() - self.started
        return Figures(
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            first_token_seconds=self.first_token,
            answering_seconds=None if self.first_token is None else seconds - self.first_token,
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest answer in tokens, and in seconds; `of_call` if the call's deadline sets these."""

    tokens: int
    seconds: float
    of_call: bool = False


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What a model is asked, and what its answer is held against."""

    messages: tuple[Message, ...]
    requirements: AnswerRequirements
    limits: Limits
    temperature: float | None = None


async def run_attempt(
    backend: Backend,
    info: ModelInfo,
    asking: AttemptContext,
    listener: Listener,
    on_first_token: Callable[[], None],
) -> tuple[ValidatedReply, Figures]:
    """Ask one model and check what it says; `on_first_token` is called when the reply begins.

    An answer in the wrong format may be repaired once by the model that gave it.

    Raises:
        BackendError: it could not be asked, or broke off.
        CheckFailed: the reply is not a valid answer.
    """
    limits = asking.limits
    try:
        async with asyncio.timeout(limits.seconds):
            reply, figures = await _reply(backend, info, asking, listener, on_first_token)
            try:
                return await _checked(reply, asking.requirements), figures
            except CheckFailed as failure:
                if failure.check not in REPAIRABLE:
                    raise
                return await _repaired(backend, info, asking, listener, reply, figures, failure)
    except TimeoutError:
        if limits.of_call:
            raise out_of_time(info.backend, info.name) from None
        what = f"no whole answer within {limits.seconds:g} s"
        raise _too_slow(info, what, "raise the tool's timeout") from None


async def _repaired(
    backend: Backend,
    info: ModelInfo,
    asking: AttemptContext,
    listener: Listener,
    reply: ModelReply,
    figures: Figures,
    failure: CheckFailed,
) -> tuple[ValidatedReply, Figures]:
    """Let the model repair its answer; a second failure is final."""
    said = split_thinking(reply.text).visible.strip()
    again = replace(asking, messages=for_repair(asking.messages, said, str(failure)))
    try:
        reply, more = await _reply(backend, info, again, listener, _nothing)
    except ContextExceeded:
        raise failure from None  # report why the answer was wrong, not why the repair failed
    checked = await _checked(reply, asking.requirements)
    notes = (f"repaired once: {failure}", *checked.notes)
    return replace(checked, notes=notes), figures.with_more(more)


def _nothing() -> None:
    """The first token of all came with the first reply."""


async def _reply(
    backend: Backend,
    info: ModelInfo,
    asking: AttemptContext,
    listener: Listener,
    on_first_token: Callable[[], None],
) -> tuple[ModelReply, Figures]:
    """Ask once and take in the whole reply."""
    streamed = Streamed(started=time.monotonic(), on_first_token=on_first_token)
    listener.progress(Progress("asking", f"asking {display_name(info.id)}"))
    form = ResponseFormat(asking.requirements.labels, asking.requirements.schema)
    try:
        fitting = await fit(backend, info, asking.messages, asking.limits.tokens)
        request = ChatRequest(
            model=info.name,
            messages=asking.messages,
            max_tokens=fitting.max_tokens,
            temperature=asking.temperature,
            schema=form.constraint,
            alternatives=ALTERNATIVES if form.labels else 0,
            local_only=info.trust == "local",
        )
        await _stream_constrained(backend, request, streamed, listener)
    except ContextExceeded as error:
        if error.bytes_that_fit is None:
            raise explain_excess(error, info, asking.messages, asking.limits.tokens) from error
        raise
    reply = ModelReply(
        text="".join(streamed.pieces),
        finish=streamed.finish,
        max_tokens=fitting.max_tokens,
        had_thinking=streamed.thinking,
        prompt_tokens=streamed.usage.prompt_tokens,
        expected_tokens=fitting.least_tokens,
        expected_source=fitting.source,
        tokens=tuple(streamed.tokens),
    )
    return reply, streamed.figures()


async def _checked(reply: ModelReply, requirements: AnswerRequirements) -> ValidatedReply:
    """Check a reply; in a thread where that takes so long that others would notice."""
    given = requirements.given
    material = sum(map(len, given.texts)) + sum(len(one.text) for one in given.passages)
    is_short = material + len(reply.text) < _LONG_MATERIAL
    if is_short and requirements.schema is None and "```" not in reply.text:
        return check_reply(reply, requirements)
    return await CHECKING.run(check_reply, reply, requirements)


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
    info = ModelInfo(backend.name, request.model)
    most = request.max_tokens * _MOST_CHARACTERS_OF_A_TOKEN + _SLACK_CHARACTERS
    loop = asyncio.get_running_loop()
    try:
        async with (
            asyncio.timeout(backend.first_token_timeout) as idle,
            aclosing(backend.chat(request)) as chunks,
        ):
            async for chunk in chunks:
                # What keeps a connection alive brings no chunk, so it does not count.
                idle.reschedule(loop.time() + backend.idle_timeout)
                over = bool(streamed.finish)
                streamed.add(chunk)
                if streamed.size > most:
                    raise _too_much(info, request.max_tokens)
                if over or not (chunk.text or chunk.thinking):
                    continue
                status = _reply_status(info.id, streamed)
                listener.progress(Progress("answering", status, streamed.count))
                if chunk.text:
                    listener.text(chunk.text)
    except TimeoutError:
        if not idle.expired():
            raise
        begun = streamed.first_token is not None
        setting = "idle_timeout" if begun else "first_token_timeout"
        waited = backend.idle_timeout if begun else backend.first_token_timeout
        raise _too_slow(
            info,
            f"nothing came for {waited:g} s",
            f"raise {setting} in [backends.{backend.name}]",
        ) from None


def out_of_time(backend: str, model: str) -> DeadlinePassed:
    """Say that the call's own time is over."""
    hint = "raise the tool's deadline, or ask for a shorter answer"
    what = "the call's deadline came before the answer was whole"
    return DeadlinePassed(what, backend=backend, model=model, hint=hint)


def _too_slow(info: ModelInfo, what: str, hint: str) -> BackendUnavailable:
    return BackendUnavailable(
        what, backend=info.backend, model=info.name, hint=f"{hint}, or ask for a shorter answer"
    )


def _too_much(info: ModelInfo, max_tokens: int) -> BadReply:
    return BadReply(
        f"it goes on long past the {max_tokens} tokens that were asked for",
        backend=info.backend,
        model=info.name,
        hint="the server does not honour max_tokens",
    )


def _reply_status(name: str, streamed: Streamed) -> str:
    doing = "thinking" if streamed.thinking and not streamed.pieces else "answering"
    tokens = f"{streamed.count} token{'' if streamed.count == 1 else 's'}"
    return f"{display_name(name)} is {doing}: {tokens}"
