"""Proves a model's window: asks for a word at the start of a prompt of that size.

What a server says of its window is a claim. One that cuts prompts without a word loses their
beginning, and with it the word.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.backends.base import ChatRequest, Message
from spadework.backends.token_counts import estimate_tokens
from spadework.config.models import EMBEDDED
from spadework.config.type_names import as_toml
from spadework.errors import BackendError, ContextExceeded
from spadework.util.finding import Finding
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.backends.base import Backend

ANSWER_TOKENS = 256
"""Enough for a model that thinks a little first."""
MARGIN = 64
"""Tokens of the window that are left free besides."""
SHORT_LINES = 20

_TRIES = 3
_LEAST_SHARE_READ = 0.9
_WORDS = ("heron", "larch", "otter", "quartz", "saffron", "tundra", "walnut", "zephyr")
_FILLER = "Line {number}: the barn was swept, the cart was fixed and the gate was shut again."
_RAISE = (
    "raise the server's own window (Ollama: 0.12.4 or newer refuses instead of cutting), or set "
    "the true one in [backends.NAME.windows]"
)
_COUNTING = "Count from one to forty in words, one after another. Write nothing else."


@dataclass(slots=True)
class ProbeReply:
    """One reply: the tokens that the server read and wrote, None where it does not say."""

    text: str = ""
    read: int | None = None
    written: int | None = None
    pieces: int = 0
    first: float | None = None
    seconds: float = 0.0
    found: bool = False


@dataclass(frozen=True, slots=True)
class WindowProbe:
    """A random word and the prompt that hides it. A server cannot guess the word."""

    word: str = field(default_factory=lambda: f"{secrets.choice(_WORDS)}{secrets.randbelow(9000)}")

    def messages(self, lines: int) -> tuple[Message, ...]:
        """Return a prompt with so many lines between the word and the question."""
        filler = "\n".join(_FILLER.format(number=number) for number in range(1, lines + 1))
        return (
            Message(
                "user",
                f"The secret word is {self.word}.\n\n{filler}\n\nWhat is the secret word that "
                "is in the very first line? Answer with that word alone.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Sizing:
    """How many tokens a needle's prompt takes: `fixed` and so many for each line."""

    fixed: float
    a_line: float

    def lines(self, tokens: int) -> int:
        """The most lines that fit into so many tokens."""
        return max(0, int((tokens - self.fixed) / self.a_line))

    def tokens(self, lines: int) -> int:
        """The tokens of a prompt with so many lines."""
        return int(self.fixed + lines * self.a_line)


async def prove(
    backend: Backend, model: str, window: int | None, say: Callable[[str], None]
) -> list[Finding]:
    """Ask a model for a word at the start of a short prompt, then of one that fills its window.

    Args:
        backend: where the model is.
        model: its name there.
        window: the claimed window in tokens; None: it is not known.
        say: told what is being done, in a line.

    Returns:
        What was found of its window, and of its speed.
    """
    name = display_name(f"{backend.name}/{model}")
    needle = WindowProbe()
    say(f"{name}: a short prompt")
    try:
        short = await _ask(backend, model, needle.messages(SHORT_LINES), needle.word)
        proved = (
            await _fill(backend, model, window, needle, short, say)
            if window
            else _unclaimed(backend.name, model)
        )
        say(f"{name}: its speed")
        return [proved, await _speed(backend, model, short)]
    except BackendError as error:
        return [Finding("error", "window", name, str(error), error.hint)]


def _unclaimed(backend: str, model: str) -> Finding:
    return Finding(
        "warning",
        "window",
        display_name(f"{backend}/{model}"),
        "no window is claimed, so there is nothing to prove",
        f"tell it: [backends.{backend}.windows] {as_toml(model)} = TOKENS",
    )


async def _size(backend: Backend, model: str, needle: WindowProbe, short: ProbeReply) -> Sizing:
    """Learn the size of a line: from the model's own tokenizer, else from what it read before."""
    counted = await backend.count_tokens(model, needle.messages(SHORT_LINES))
    if counted.exact:
        longer = await backend.count_tokens(model, needle.messages(3 * SHORT_LINES))
        a_line = max(1.0, (longer.tokens - counted.tokens) / (2 * SHORT_LINES))
        return Sizing(counted.tokens - SHORT_LINES * a_line, a_line)
    share = (short.read or counted.tokens) / counted.tokens
    fixed = estimate_tokens(needle.messages(0)) * share
    return Sizing(fixed, max(1.0, ((short.read or counted.tokens) - fixed) / SHORT_LINES))


async def _fill(
    backend: Backend,
    model: str,
    window: int,
    needle: WindowProbe,
    short: ProbeReply,
    say: Callable[[str], None],
) -> Finding:
    """Ask the long prompt; if it was too long by our guess of its size, a shorter one."""
    name = display_name(f"{backend.name}/{model}")
    room = max(0, window - ANSWER_TOKENS - MARGIN)
    sizing = await _size(backend, model, needle, short)
    lines = sizing.lines(room)
    for _ in range(_TRIES):
        say(f"{name}: a prompt of about {sizing.tokens(lines)} tokens")
        try:
            long = await _ask(backend, model, needle.messages(lines), needle.word)
        except ContextExceeded as error:
            if error.window and error.window < window * _LEAST_SHARE_READ:
                return _smaller(name, backend.name, model, error.window, window)
            share = room / error.tokens if error.tokens else 0.8
            lines = int(lines * min(share, 0.95))
        else:
            return _judged(name, window, sizing.tokens(lines), short, long)
    return Finding(
        "error",
        "window",
        name,
        f"even a prompt well below the claimed {window} tokens is refused as too long",
        f"set the true window: [backends.{backend.name}.windows] {as_toml(model)} = TOKENS",
    )


def _smaller(name: str, backend: str, model: str, true: int, claimed: int) -> Finding:
    return Finding(
        "error",
        "window",
        name,
        f"the server takes {true} tokens, not the {claimed} that are claimed",
        f'set [backends.{backend}.windows] "{model}" = {true}, or give the server more',
    )


def _less(name: str) -> str:
    """Say where a smaller window is set; the embedded engine has a table of its own."""
    backend, _, model = name.partition("/")
    if backend == EMBEDDED:
        return "set a smaller `context` in [embedded] and prove that"
    key = f"[backends.{backend}.windows] {as_toml(model)}"
    return f"set a smaller window and prove that: {key} = TOKENS"


def _judged(name: str, window: int, expected: int, short: ProbeReply, long: ProbeReply) -> Finding:
    """Say what the long reply proves; `expected` is how many tokens were sent, by our count."""
    size = max(expected, long.read or 0)
    took = f" in {long.first:.1f} s" if long.first is not None else ""
    was_cut = long.read is not None and long.read < expected * _LEAST_SHARE_READ
    if long.found and not was_cut:
        text = f"window {window} proved: the first line of {size} tokens was found{took}"
        return Finding("ok", "window", name, text)
    if long.found:
        text = f"the first line was found, but the server says that it read {long.read} of {size}"
        return Finding("warning", "window", name, f"{text} tokens: it may cut the middle", _RAISE)
    if was_cut:
        text = f"the word was lost at {size} tokens: the server cuts silently (it read {long.read})"
        return Finding("error", "window", name, text, _RAISE)
    if not short.found:
        text = "cannot tell: the model does not find the word in a short prompt either"
        return Finding(
            "warning", "window", name, text, "prove it with a larger model of that server"
        )
    less = _less(name)
    if long.read is None:
        text = f"the word was lost at {size} tokens: the server cuts silently, or the model is weak"
        return Finding(
            "error", "window", name, f"{text} (the server does not say what it read)", less
        )
    text = f"the server read all {size} tokens{took}, but the model did not find the first line"
    return Finding("warning", "window", name, text, f"it is weak on long prompts: {less}")


async def _speed(backend: Backend, model: str, short: ProbeReply) -> Finding:
    heard = await _ask(backend, model, (Message("user", _COUNTING),), "")
    name = display_name(f"{backend.name}/{model}")
    count = heard.written or heard.pieces
    first = heard.first if heard.first is not None else heard.seconds
    answering = heard.seconds - first
    wait = f"the first token after {first:.2f} s"
    if short.first is not None and short.first > first + 1:
        wait += f" (for the very first request {short.first:.1f} s)"
    if count < 2 or answering <= 0:  # noqa: PLR2004 - one token has no speed
        return Finding("ok", "speed", name, f"too short an answer to tell; {wait}")
    return Finding("ok", "speed", name, f"{(count - 1) / answering:.0f} tokens/s measured; {wait}")


async def _ask(
    backend: Backend, model: str, messages: tuple[Message, ...], word: str
) -> ProbeReply:
    """Stream one reply to its end, where the server tells what it has read.

    Raises:
        BackendError: the backend failed, or fell silent.
    """
    request = ChatRequest(model, messages, ANSWER_TOKENS, temperature=0.0)
    heard = ProbeReply()
    started = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        async with (
            asyncio.timeout(backend.first_token_timeout) as idle,
            aclosing(backend.chat(request)) as chunks,
        ):
            async for chunk in chunks:
                idle.reschedule(loop.time() + backend.idle_timeout)
                if chunk.text or chunk.thinking:
                    heard.text += chunk.thinking + chunk.text
                    heard.pieces += 1
                    if heard.first is None:
                        heard.first = time.monotonic() - started
                if chunk.usage:
                    heard.read = chunk.usage.prompt_tokens
                    heard.written = chunk.usage.completion_tokens
    except TimeoutError:
        raise BackendError(
            "nothing came in time",
            backend=backend.name,
            model=model,
            hint=f"raise first_token_timeout or idle_timeout in [backends.{backend.name}]",
        ) from None
    heard.seconds = time.monotonic() - started
    heard.found = bool(word) and word.lower() in heard.text.lower()
    return heard
