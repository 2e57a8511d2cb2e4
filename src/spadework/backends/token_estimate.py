"""Estimates the tokens of a prompt if the model's own tokenizer is unavailable.

Checked against eight real tokenizers (SmolLM2, Llama 2 and 3, Mistral, Claude 2, cl100k, o200k,
p50k) on 376 pieces of text: prose in 30 languages, code, JSON, minified scripts, HTML, logs,
tables, base64, runs of one sign. The bounds held for each piece and each tokenizer; the guess
was within 35 % of the median tokenizer for 98 of 100 pieces.
"""

from __future__ import annotations

import re
from string import ascii_letters, digits, punctuation
from typing import TYPE_CHECKING

from spadework.backends.base import TokenCount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spadework.backends.base import Message

TOKENS_PER_MESSAGE = 16
"""The most that a chat template puts around one message: role, separators, line ends."""

TOKENS_PER_PROMPT = 128
"""The most that a chat template adds by itself: a default system prompt, the date."""

CHARACTERS_PER_TOKEN = 8
"""Letters and digits in one token, on average and at the very most: the densest of those pieces
had 4.1, a list of Java imports 7.0."""

LOWER_BOUND_SLACK = 32
"""Tokens left out of the lower bound, since a short text may be denser than any long one."""

_LETTERS = ascii_letters.encode()
_DIGITS = digits.encode()
_MARKS = punctuation.encode()
# Possessive: to go back into a run would cost eighty bytes of memory for each of its signs.
_RUN = re.compile(r"(.)\1{3,}+")


def estimate(messages: Iterable[Message], *, source: str = "estimate") -> TokenCount:
    """The guess as a count, marked as not exact; `source` says why it is one."""
    return TokenCount(estimate_tokens(messages), exact=False, source=source)


def estimate_tokens(messages: Iterable[Message]) -> int:
    """Guess the prompt's tokens: four letters a token, other signs nearly one each."""
    return sum(_guess(message.content) + TOKENS_PER_MESSAGE // 2 for message in messages)


def lower_bound(messages: Iterable[Message]) -> int:
    """Fewer tokens than this no tokenizer makes of the prompt: if a server counts fewer, it cut."""
    return sum(_fewest(message.content) for message in messages)


def upper_bound(messages: Iterable[Message]) -> int:
    """More tokens than this no tokenizer makes of the prompt: a token is at least one byte."""
    sizes = [len(message.content.encode(errors="surrogatepass")) for message in messages]
    return sum(sizes) + TOKENS_PER_MESSAGE * len(sizes) + TOKENS_PER_PROMPT


def _guess(text: str) -> int:
    plain = text.encode("ascii", "ignore")

    def count(signs: bytes) -> int:
        return len(plain) - len(plain.translate(None, signs))

    others = len(text) - len(plain)
    tokens = 0.26 * count(_LETTERS) + 0.94 * count(_DIGITS) + 0.78 * count(_MARKS) + 0.73 * others
    return round(tokens)


def _fewest(text: str) -> int:
    words = sum(1 for word in text.split() if any(map(str.isalnum, word)))
    # Runs such as "AAAAAAAA" in base64 are a token in some vocabularies.
    signs = sum(map(str.isalnum, _RUN.sub(r"\1", text)))
    return max(words, signs // CHARACTERS_PER_TOKEN - LOWER_BOUND_SLACK)
