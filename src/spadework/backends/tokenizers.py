"""Servers that count a prompt's tokens with the model's own tokenizer and chat template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from spadework.backends.error_translation import UnexpectedReply

Post = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Posts JSON to a path under the server's root and returns the JSON that comes back."""

WireMessages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How a server counts tokens; `count` raises `UnexpectedReply` for a malformed reply."""

    source: str
    count: Callable[[Post, str, WireMessages], Awaitable[int]]


async def _count_as_llama_cpp(post: Post, model: str, messages: WireMessages) -> int:
    """Render the chat template, then tokenize as llama.cpp does for a chat."""
    rendered = await post("/apply-template", {"model": model, "messages": messages})
    if not (isinstance(rendered, dict) and isinstance(rendered.get("prompt"), str)):
        raise UnexpectedReply("/apply-template gave no prompt")
    text = {"content": rendered["prompt"], "add_special": True, "parse_special": True}
    tokenized = await post("/tokenize", {"model": model, **text})
    if not (isinstance(tokenized, dict) and isinstance(tokenized.get("tokens"), list)):
        raise UnexpectedReply("/tokenize gave no tokens")
    return len(tokenized["tokens"])


async def _count_as_vllm(post: Post, model: str, messages: WireMessages) -> int:
    counted = await post("/tokenize", {"model": model, "messages": messages})
    if not (isinstance(counted, dict) and isinstance(counted.get("count"), int)):
        raise UnexpectedReply("/tokenize gave no count")
    return int(counted["count"])


LLAMA_CPP = Tokenizer("llama.cpp's tokenizer", _count_as_llama_cpp)
VLLM = Tokenizer("vLLM's tokenizer", _count_as_vllm)
TOKENIZERS = (LLAMA_CPP, VLLM)
