"""A LiteLLM proxy. Its `/health` is never asked: it really calls every model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spadework.backends.backend_traits import BackendTraits, ProxyErrors
from spadework.backends.base import DiscoveredCapacity
from spadework.backends.litellm_routes import (
    DEPLOYMENT_HEADER,
    origin_of,
    route_evidence,
    went_elsewhere,
)
from spadework.backends.openai import OpenAIBackend
from spadework.backends.server_backend import as_count
from spadework.backends.token_counts import estimate
from spadework.backends.trust import Evidence, of_address, worst
from spadework.errors import AuthFailed, BadReply, RequestRejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.base import (
        BackendSettings,
        ChatRequest,
        Message,
        ModelInfo,
        TokenCount,
    )

OLLAMA_ROUTE = "ollama/"
OLLAMA_NOTE = "ollama/ route: cut-offs are reported as complete; use ollama_chat/"
_UNTOLD = Evidence("unknown", "LiteLLM does not tell this key its route")


class LiteLLMBackend(OpenAIBackend):
    """A LiteLLM proxy: OpenAI's API, and `/v1/model/info` for what stands behind each model."""

    kind = "litellm"
    traits = BackendTraits(
        "start LiteLLM there (`litellm --config …`)",
        "add it to `model_list` in LiteLLM's config",
        default_ports={4000: "LiteLLM"},
        is_proxy=True,
        proxy_errors=ProxyErrors("LiteLLM", "litellm.", (500, "Internal Server Error")),
        signature=("/health/liveliness", lambda text: "I'm alive!" in text),
        signature_is_conclusive=True,
        key_variables=("LITELLM_API_KEY", "LITELLM_MASTER_KEY"),
    )
    liveness_path = "/health/liveliness"

    def __init__(self, settings: BackendSettings) -> None:
        super().__init__(settings)
        self._routes: dict[str, Evidence] = {}
        """What is known of each deployment, by the id that the proxy gives it."""
        self._own: dict[str, set[str]] = {}
        """The ids of the deployments of each model."""

    async def models(self) -> list[ModelInfo]:
        """List the models with their windows and routes from `/v1/model/info`.

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

    async def learn_capacity(self) -> DiscoveredCapacity:
        """Not told: the proxy's own limits are those of each key and deployment."""
        return DiscoveredCapacity()

    async def deployments(self) -> list[dict[str, Any]]:
        """List what stands behind the models, as `/v1/model/info` tells it.

        Empty if the key may not see it.

        Raises:
            BackendError: the proxy does not answer.
        """
        try:
            told = await self._ask("/v1/model/info")
        except (AuthFailed, BadReply, RequestRejected):  # a key may not be allowed to see it
            return []
        found = told.get("data") if isinstance(told, dict) else None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _detailed(self, info: ModelInfo, deployments: Iterable[dict[str, Any]]) -> ModelInfo:
        own = [one for one in deployments if info.name in _names_of(one)]
        windows = [_field(one, "model_info", "max_input_tokens") for one in own]
        known = [count for window in windows if (count := as_count(window))]
        if known and info.window_source != "config":
            # A request may go to any deployment of the name, so the smallest window holds.
            source = "max_input_tokens in LiteLLM's /v1/model/info"
            info = replace(info, window=min(known), window_source=source)
        routes = [str(_field(one, "litellm_params", "model")) for one in own]
        if any(route.startswith(OLLAMA_ROUTE) for route in routes):
            info = replace(info, note=OLLAMA_NOTE)
        return self._judged(info, self._evidence_of(info.name, own))

    def _evidence_of(self, model: str, deployments: Iterable[dict[str, Any]]) -> Evidence:
        """Judge by the proxy's own address and by every route that a request may take."""
        near = of_address(self._settings.url, self._settings.rules)
        routes = list(map(self._route_of, deployments))
        self._routes |= dict(routes)
        if routes:
            self._own[model] = {number for number, _ in routes}
        found = worst(one for _, one in routes) if routes else _UNTOLD
        return found if near.trust == "local" else worst([found, near])

    def _route_of(self, deployment: dict[str, Any]) -> tuple[str, Evidence]:
        """Judge one deployment; with the id that the proxy gives it."""
        params, info = (deployment.get(key) for key in ("litellm_params", "model_info"))
        rules = replace(self._settings.rules, backend=None)
        info = info if isinstance(info, dict) else {}
        found = route_evidence(params if isinstance(params, dict) else {}, info, rules)
        return str(info.get("id", "")), found

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        """Forbid the proxy to pass a request on: which model is next is the engine's decision."""
        return super()._body(request) | {"disable_fallbacks": True}

    def _origin(self, model: str, headers: Mapping[str, str]) -> Evidence | None:
        number = headers.get(DEPLOYMENT_HEADER, "")
        if not went_elsewhere(headers) and number in self._own.get(model, {number}):
            return None
        rules = replace(self._settings.rules, backend=None)
        return self._routes.get(number) or origin_of(headers, rules)


def _names_of(deployment: dict[str, Any]) -> tuple[object, object]:
    """Its own name, and the one under which a team's requests are led to it."""
    return deployment.get("model_name"), _field(deployment, "model_info", "team_public_model_name")


def _field(entry: dict[str, Any], table: str, key: str) -> object:
    fields = entry.get(table)
    return fields.get(key) if isinstance(fields, dict) else None
