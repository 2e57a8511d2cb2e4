"""A LiteLLM proxy. Its `/health` is never asked: it really calls every model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from journeyman.backends.base import Learnt
from journeyman.backends.estimate import estimate
from journeyman.backends.openai import OpenAIBackend
from journeyman.backends.wire import as_count
from journeyman.errors import AuthFailed, BadReply, RequestRejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from journeyman.backends.base import Message, ModelInfo, TokenCount

OLLAMA_ROUTE = "ollama/"
OLLAMA_NOTE = "ollama/ route: cut-offs are reported as complete; use ollama_chat/"


class LiteLLMBackend(OpenAIBackend):
    """A LiteLLM proxy: OpenAI's API, and `/v1/model/info` for what stands behind each model."""

    kind = "litellm"
    life_path = "/health/liveliness"

    async def models(self) -> list[ModelInfo]:
        """List the models with their windows from `/v1/model/info`.

        Raises:
            BackendError: the proxy does not answer, or refuses the key.
        """
        listed = await super().models()
        deployments = await self.deployments()
        return [self._detailed(info, deployments) for info in listed]

    async def describe(self, model: str) -> ModelInfo:
        """Describe a model as `models` does.

        Raises:
            BackendError: the proxy does not answer, or refuses the key.
        """
        return self._detailed(await super().describe(model), await self.deployments())

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Estimate: the proxy's own `/utils/token_counter` estimates too, for any model alike."""
        del model
        return estimate(messages, source="estimate: LiteLLM does not have the model's tokenizer")

    async def loaded(self) -> frozenset[str] | None:
        """Not told: the models are in the servers behind the proxy."""
        return None

    async def learn_capacity(self) -> Learnt:
        """Not told: the proxy's own limits are those of each key and deployment."""
        return Learnt()

    async def deployments(self) -> list[dict[str, Any]]:
        """List what stands behind the models, as `/v1/model/info` tells it.

        Empty if the key may not see it.

        Raises:
            BackendError: the proxy does not answer.
        """
        try:
            told = await self._get("/model/info")
        except (AuthFailed, BadReply, RequestRejected):  # a key may not be allowed to see it
            return []
        found = told.get("data") if isinstance(told, dict) else None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _detailed(self, info: ModelInfo, deployments: Iterable[dict[str, Any]]) -> ModelInfo:
        own = [one for one in deployments if one.get("model_name") == info.name]
        windows = [_field(one, "model_info", "max_input_tokens") for one in own]
        known = [count for window in windows if (count := as_count(window))]
        if known and info.window_source != "config":
            # A request may go to any deployment of the name, so the smallest window holds.
            source = "max_input_tokens in LiteLLM's /v1/model/info"
            info = replace(info, window=min(known), window_source=source)
        routes = [str(_field(one, "litellm_params", "model")) for one in own]
        if any(route.startswith(OLLAMA_ROUTE) for route in routes):
            info = replace(info, note=OLLAMA_NOTE)
        return info


def _field(entry: dict[str, Any], table: str, key: str) -> object:
    fields = entry.get(table)
    return fields.get(key) if isinstance(fields, dict) else None
