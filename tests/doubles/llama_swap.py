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
    of a model's own server loads it, which `loads` counts. `aliases` says of other names which
    model they stand for. `slots` is what a model's own server tells that it takes at once, None for
    one that does not tell. A model named "broken" cannot be loaded until it is `mended`.

    Args:
        models: their names.
        window: that of every model, in tokens.
        metadata: what the config says of each model.
        form: how it writes: as "v235" did, or as since "2026-08".
        tells_running: whether it has `/running`.
    """

    def __init__(
        self,
        *models: str,
        window: int = 2048,
        metadata: dict[str, Any] | None = None,
        form: str = "v235",
        tells_running: bool = True,
    ) -> None:
        super().__init__(*models, tokenizer="llama.cpp")
        self.contract = "llama-swap" if form == "v235" else f"llama-swap-{form}"
        self.is_new = form != "v235"
        self.tells_running = tells_running
        self.aliases: dict[str, str] = {}
        self.mended = False
        self.window = window
        self.ready = ""
        self.starting = ""
        self.loads: list[str] = []
        self.slots: int | None = 2
        told = (metadata or {}) | ({"type": "model"} if self.is_new else {})
        meta = {"meta": {"llamaswap": told}} if told else {}
        self.entries = [{"id": name, "object": "model", **meta} for name in self.names]

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as llama-swap does."""
        if request.path == "/running" and not self.tells_running:
            await self._send("404", wire, "text/plain")
        elif request.path == "/running":
            states = {self.starting: "starting", self.ready: "ready"}
            running = [
                {"model": model, "state": state, "cmd": f"llama-server --api-key {SECRET}"}
                for model, state in states.items()
                if model
            ]
            await wire.send(compact({"running": running}))
        elif request.path == "/health":
            await wire.send(exchange("llama-swap", "health").body, content_type="text/plain")
        elif request.path == "/v1/models" and self.is_new:
            entries = [self._listed(entry) for entry in self.entries]
            await wire.send(compact({"object": "list", "data": entries}))
        elif request.path == self.chat_path:
            await self._swap_and(self.chat, request.json.get("model"), request, wire)
        elif request.path.startswith("/upstream/"):
            model, _, path = request.path.removeprefix("/upstream/").partition("/")
            inner = replace(request, path=f"/{path}")
            await self._swap_and(self._upstream, model, inner, wire)
        else:
            await super().answer(request, wire)

    def _listed(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Complete an entry: the newer form tells aliases, and what is loaded."""
        name = entry["id"]
        value = {self.starting: "loading", self.ready: "loaded"}.get(name, "unloaded")
        told = dict(entry.get("meta", {}).get("llamaswap", {}))
        if aliases := [alias for alias, model in self.aliases.items() if model == name]:
            told["aliases"] = aliases
        return {**entry, "meta": {"llamaswap": told}, "status": {"value": value}}

    async def _send(self, what: str, wire: Wire, content_type: str = "application/json") -> None:
        recorded = exchange(self.contract, what)
        await wire.send(recorded.body, status=recorded.status, content_type=content_type)

    async def _swap_and(self, act: Any, model: str, request: Request, wire: Wire) -> None:
        model = self.aliases.get(model, model)
        if model == "broken" and model in self.names and not self.mended:
            await self._send("broken", wire)
            return
        if model not in self.names:
            await self._send("unknown", wire)
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
