"""Bodies, events and list entries of OpenAI's chat API, as the servers that speak it write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spadework.backends.base import Chunk, Usage
from spadework.backends.error_translation import UnexpectedReply
from spadework.backends.server_backend import as_count, as_json, as_tokens
from spadework.util.untrusted_text import is_usable_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.base import ChatRequest

USAGE_TOO = {"stream_options": {"include_usage": True}}
SELF_HOSTED_OWNERS = {"llamacpp", "llama-swap", "vllm", "library", "organization_owner", "sglang"}
"""What servers that run their models themselves write as a model's owner."""
CLOUD_OWNERS = {"openai", "anthropic", "google", "azure", "mistral", "system", "openrouter"}
"""What clouds write there, and gateways that repeat it for whatever they lead to."""
_CREATED_OF_LITELLM = 1677610602
"""What LiteLLM writes as the time of creation of every model, whatever its version."""
_OTHER_WORK = {"embedding", "embeddings", "rerank", "image_generation", "audio_transcription"}
_FAILED = ("failed", "error")
CLOUD_NAMES = re.compile(
    r"^((openai|anthropic|azure|bedrock|vertex_ai|gemini|groq|xai|openrouter)/)?"
    r"(gpt-[345]|chatgpt|o[134](-|$)|claude|gemini-|grok)",
    re.IGNORECASE,
)


def request_body(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a streamed chat completion."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": as_json(request.messages),
        "max_tokens": request.max_tokens,
        "stream": True,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None:
        schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def optional_fields(request: ChatRequest) -> dict[str, dict[str, Any]]:
    """Fields that make an answer better and that some servers refuse, by the name they call."""
    extras: dict[str, dict[str, Any]] = {"stream_options": USAGE_TOO}
    if request.alternatives:
        extras["logprobs"] = {"logprobs": True, "top_logprobs": request.alternatives}
    return extras


def read_event(event: object) -> Chunk | None:
    """Make a chunk of one event of a stream; None if it says nothing.

    Raises:
        UnexpectedReply: it is not an object.
    """
    if not isinstance(event, dict):
        raise UnexpectedReply("an event that is not an object", repr(event))
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    delta = choice.get("delta") if isinstance(choice, dict) else None
    delta = delta if isinstance(delta, dict) else {}
    told = choice.get("logprobs") if isinstance(choice, dict) else None
    chunk = Chunk(
        tokens=as_tokens(told.get("content")) if isinstance(told, dict) else (),
        text=_text(delta, "content"),
        thinking=_text(delta, "reasoning_content") or _text(delta, "reasoning"),
        finish=_text(choice, "finish_reason") or None,
        usage=_usage(event.get("usage")),
    )
    return None if chunk == Chunk() else chunk


def sounds_like_a_cloud(entry: Mapping[str, Any]) -> bool:
    """Tell a gateway's cloud models by their names, unless a known server says it runs them."""
    owner = _text(entry, "owned_by")
    if owner in SELF_HOSTED_OWNERS:
        return False
    if owner in CLOUD_OWNERS:
        return True
    return bool(CLOUD_NAMES.search(_text(entry, "id")))


def is_of_litellm(entry: Mapping[str, Any]) -> bool:
    """Recognize an entry of a LiteLLM proxy's list."""
    return entry.get("created") == _CREATED_OF_LITELLM


def model_state(entry: dict[str, Any]) -> str:
    """Read whether the model of an entry is loaded; empty where the server does not tell."""
    return _text(entry.get("status"), "value")


def window_of(entry: dict[str, Any], fields: Iterable[str]) -> tuple[int | None, str]:
    """Find the window in an entry, in tokens, and the name of the field that had it.

    Args:
        entry: a model's entry in the list.
        fields: where servers write it, as `meta.n_ctx`; the first that has it is taken.
    """
    for field in fields:
        value: Any = entry
        for key in field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if window := as_count(value):
            return window, field
    return None, ""


def does_other_work(entry: dict[str, Any]) -> bool:
    """Tell whether an entry says that it is for something else than chat."""
    return bool(_OTHER_WORK & {str(entry.get("mode")), str(entry.get("type"))})


def own_names(aliases: Mapping[str, list[str]]) -> dict[str, str]:
    """Say what each alias stands for, from the aliases of each model; the first to have it wins."""
    return {
        alias: name
        for name, others in reversed(list(aliases.items()))
        for alias in others
        if alias not in aliases
    }


def load_failure(entry: dict[str, Any]) -> str:
    """Say why an entry's model could not be loaded last; empty where the server tells no failure.

    Llama-server's router marks such a model in its `status`.
    """
    status = entry.get("status")
    if not isinstance(status, dict):
        return ""
    if status.get("failed") is not True and status.get("value") not in _FAILED:
        return ""
    code = status.get("exit_code")
    return f"exit code {code}" if isinstance(code, int) else "the server does not say why"


def usable_names(told: object) -> list[str]:
    """Read a list of names; what is none, or cannot be used, is left out."""
    return [one for one in told if is_usable_name(one)] if isinstance(told, list) else []


def _text(fields: Any, key: str) -> str:
    value = fields.get(key) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""


def _usage(told: object) -> Usage | None:
    if not isinstance(told, dict):
        return None
    return Usage(as_count(told.get("prompt_tokens")), as_count(told.get("completion_tokens")))
