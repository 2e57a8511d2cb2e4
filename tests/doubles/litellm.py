"""A double of a LiteLLM proxy, with routes and fallbacks as the real one told and followed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doubles.openai_compatible import OpenAIDouble
from doubles.plays import compact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubles.http_server import Request, Wire

LOCAL = {"model": "openai/x", "api_base": "http://127.0.0.1:9/v1"}
CLOUD = {"model": "anthropic/claude-sonnet-4-6"}


class LiteLLMDouble(OpenAIDouble):
    """A LiteLLM proxy.

    Args:
        routes: the `litellm_params` of each model, or of each of its deployments.
        fallbacks: models that are down, and which one answers instead, as with
            `router_settings.fallbacks`; a request with `disable_fallbacks` gets an error.
        obeys: whether that field is understood; old proxies may pass it by.
        tells: whether `/v1/model/info` may be seen.

    `served` names the model that really answered, and the request, in order.
    """

    def __init__(
        self,
        routes: Mapping[str, Any],
        fallbacks: Mapping[str, str] | None = None,
        *,
        obeys: bool = True,
        tells: bool = True,
    ) -> None:
        super().__init__(*routes)
        self.routes = {
            name: list(one) if isinstance(one, list | tuple) else [one]
            for name, one in routes.items()
        }
        self.fallbacks = dict(fallbacks or {})
        self.obeys = obeys
        self.tells = tells
        self.window: int | None = None
        self.served: list[tuple[str, dict[str, Any]]] = []

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as LiteLLM does."""
        if request.path == "/v1/model/info":
            body = compact({"data": self._deployments()}) if self.tells else '{"detail":"no"}'
            await wire.send(body, status=200 if self.tells else 403)
        elif request.path == self.chat_path:
            await self._route(request, wire)
        else:
            await super().answer(request, wire)

    def sent_to(self, *models: str) -> list[dict[str, Any]]:
        """Return the requests that these models really served."""
        return [body for model, body in self.served if model in models]

    def _deployments(self) -> list[dict[str, Any]]:
        return [
            {
                "model_name": name,
                "litellm_params": params,
                "model_info": {"id": f"{name}-{place}", "max_input_tokens": self.window},
            }
            for name, deployments in self.routes.items()
            for place, params in enumerate(deployments)
        ]

    async def _route(self, request: Request, wire: Wire) -> None:
        asked = request.json
        name, attempted = asked["model"], 0
        if name in self.fallbacks:
            if self.obeys and asked.get("disable_fallbacks"):
                message = "litellm.InternalServerError: OpenAIException - Connection error."
                await wire.send(compact({"error": {"message": message}}), status=500)
                return
            name, attempted = self.fallbacks[name], 1
        self.served.append((name, asked))
        params = self.routes[name][0]
        self.reply_headers = {
            "x-litellm-version": "1.108.7",
            "x-litellm-model-id": f"{name}-0",
            "x-litellm-model-name": params["model"],
            "x-litellm-attempted-fallbacks": str(attempted),
        }
        if base := params.get("api_base"):
            self.reply_headers["x-litellm-model-api-base"] = base
        await self.chat(request, wire)
