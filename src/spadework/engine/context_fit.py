"""Checks whether a prompt fits a model's context window, and how long the answer may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.backends.base import TokenCount
from spadework.backends.token_counts import estimate_tokens, lower_bound, upper_bound
from spadework.engine.thread_pools import COUNTING
from spadework.errors import ContextExceeded

if TYPE_CHECKING:
    from spadework.backends.base import Backend, Message, ModelInfo

# An answer shorter than this is not worth a call; a smaller max_tokens counts instead.
_LONG_TEXT = 200_000
_LEAST_ANSWER = 256


@dataclass(frozen=True, slots=True)
class ContextFit:
    """A prompt that fits.

    `max_tokens` is what is left for the answer; `least_tokens` is the least that the prompt can
    have, for the check against silent truncation, and `source` says who counted.
    """

    max_tokens: int
    least_tokens: int
    source: str


async def fit(
    backend: Backend, info: ModelInfo, messages: tuple[Message, ...], max_tokens: int
) -> ContextFit:
    """Fit a prompt into a model's window.

    The model's tokenizer is asked only if it matters: a prompt whose bytes fit, fits.

    Raises:
        ContextExceeded: it certainly does not fit; with the count, the window and what would fit.
        BackendError: the backend failed to count.
    """
    least = await _least(messages)
    if info.window is None or upper_bound(messages) + max_tokens <= info.window:
        return ContextFit(max_tokens, least, "counted by words")
    count = await backend.count_tokens(info.name, messages)
    room = info.window - count.tokens
    wanted = min(max_tokens, _LEAST_ANSWER)
    if count.exact:
        if room < wanted:
            raise _too_long(info, info.window, count, messages, wanted)
        return ContextFit(min(max_tokens, room), count.tokens, count.source)
    # A guess refuses only what cannot fit; else the server has the last word.
    if least + wanted > info.window:
        raise _too_long(info, info.window, count, messages, wanted)
    return ContextFit(max(wanted, min(max_tokens, room)), least, "counted by words")


async def _least(messages: tuple[Message, ...]) -> int:
    """Count the words; of a long text in a thread, since other sessions do not want to wait."""
    if sum(len(message.content) for message in messages) < _LONG_TEXT:
        return lower_bound(messages)
    return await COUNTING.run(lower_bound, messages)


def explain_excess(
    error: ContextExceeded, info: ModelInfo, messages: tuple[Message, ...], max_tokens: int
) -> ContextExceeded:
    """Say of a server's own refusal what would have fit."""
    window = error.window or info.window
    if window is None:
        return error
    if error.tokens is not None and error.tokens <= window:
        return error  # it was the answer that did not fit beside it
    tokens = error.tokens or estimate_tokens(messages)
    count = TokenCount(tokens, exact=error.tokens is not None, source="the server's count")
    return _too_long(info, window, count, messages, min(max_tokens, _LEAST_ANSWER))


def _too_long(
    info: ModelInfo, window: int, count: TokenCount, messages: tuple[Message, ...], answer: int
) -> ContextExceeded:
    size = sum(len(message.content.encode()) for message in messages)
    fitting = max(0, int(size * (window - answer) / max(count.tokens, 1)))
    about = "" if count.exact else "about "
    source = f", by {info.window_source}" if info.window_source else ""
    return ContextExceeded(
        f"the prompt has {about}{count.tokens} tokens ({count.source}) and its answer needs "
        f"{answer}, but the window is {window}{source}: {_kilobytes(fitting)} of these "
        f"{_kilobytes(size)} would fit",
        backend=info.backend,
        model=info.name,
        hint="name fewer files or line ranges such as path:1-200, or split the work into parts",
        tokens=count.tokens,
        window=window,
        bytes_that_fit=fitting,
    )


def _kilobytes(size: int) -> str:
    return f"{size / 1000:.1f} KB"
