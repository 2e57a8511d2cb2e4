"""A double of llama-swap in front of llama.cpp servers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doubles.contracts import exchange
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import compact

if TYPE_CHECKING:
    from doubles.http_server import Request, Wire

SECRET = "s3cret-of-the-command-line"


class LlamaSwapDouble(OpenAIDouble):
    """A llama-swap proxy.

    `ready` is the model that is loaded and `starting` one that is on its way; whatever is asked
    of a model's own server loads it, which `loads` counts. `slots` is what a model's own server
    tells that it takes at once, None for one that does not tell.
    """

    def __init__(
        self, *models: str, window: int = 2048, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(*models, tokenizer="llama.cpp")
        self.window = window
        self.ready = ""
        self.starting = ""
        self.loads: list[str] = []
        self.slots: int | None = 2
        meta = {"meta": {"llamaswap": metadata}} if metadata else {}
        self.entries = [{"id": name, "object": "model", **meta} for name in self.names]

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as llama-swap does."""
        if request.path == "/running":
            states = {self.starting: "starting", self.ready: "ready"}
            running = [
                {"model": model, "state": state, "cmd": f"llama-server --api-key {SECRET}"}
                for model, state in states.items()
                if model
            ]
            await wire.send(compact({"running": running}))
        elif request.path == "/health":
            await wire.send(exchange("llama-swap", "health").body, content_type="text/plain")
        elif request.path == self.chat_path:
            await self._swap_and(self.chat, request.json.get("model"), request, wire)
        elif request.path.startswith("/upstream/"):
            model, _, path = request.path.removeprefix("/upstream/").partition("/")
            inner = replace(request, path=f"/{path}")
            await self._swap_and(self._upstream, model, inner, wire)
        else:
            await super().answer(request, wire)

    async def _swap_and(self, act: Any, model: str, request: Request, wire: Wire) -> None:
        if model not in self.names:
            unknown = exchange("llama-swap", "unknown")
            await wire.send(unknown.body, status=unknown.status)
            return
        if self.ready != model:
            self.loads.append(model)
            self.ready, self.starting = model, ""
        await act(request, wire)

    async def _upstream(self, request: Request, wire: Wire) -> None:
        if request.path == "/props":
            settings = {"params": {}, "n_ctx": self.window}
            slots = {} if self.slots is None else {"total_slots": self.slots}
            await wire.send(compact({"default_generation_settings": settings, **slots}))
        else:
            await super().answer(request, wire)
