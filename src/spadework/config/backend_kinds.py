"""The kinds of model servers, each with the class that speaks to it: a new kind is a line here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "spadework.backends.openai:OpenAIBackend",
        "litellm": "spadework.backends.litellm:LiteLLMBackend",
        "ollama": "spadework.backends.ollama:OllamaBackend",
        "llama-swap": "spadework.backends.llama_swap:LlamaSwapBackend",
    }
)
"""The `kind` of the config, and where its class is. What is known of a kind is on the class."""

if TYPE_CHECKING:
    BackendKind = str
else:
    BackendKind = Literal[tuple(KINDS)]
