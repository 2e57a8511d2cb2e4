"""llama-swap: it starts the server of the model that is asked for, and stops another's.

Whatever goes to `/upstream/<model>/` loads that model, so it is asked only of a model that
`/running` calls ready. `/running` also tells the command lines, which may hold secrets: of each
entry only the model and its state are read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from journeyman.backends.base import Learnt
from journeyman.backends.estimate import estimate
from journeyman.backends.http import root_url
from journeyman.backends.llama_swap_routes import active_pins, route_evidence
from journeyman.backends.openai import UNLISTED, WINDOW_FIELDS, OpenAIBackend
from journeyman.backends.wire import as_count, question
from journeyman.errors import BackendError, BadReply
from journeyman.text.foreign import is_usable_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from journeyman.backends.base import BackendSettings, Message, ModelInfo, TokenCount
    from journeyman.backends.trust import Evidence

# What users call the window in a model's `metadata` in llama-swap's config.
METADATA_FIELDS = tuple(
    f"meta.llamaswap.{key}" for key in ("ctx", "n_ctx", "context", "context_length")
)


_NOT_FOUND = 404


class LlamaSwapBackend(OpenAIBackend):
    """A llama-swap proxy in front of llama.cpp servers."""

    kind = "llama-swap"
    life_path = "/health"
    window_fields = METADATA_FIELDS + WINDOW_FIELDS

    def __init__(self, settings: BackendSettings) -> None:
        super().__init__(settings)
        self._listed: dict[str, dict[str, Any]] = {}
        self._pins: dict[str, str] | None = {}

    async def models(self) -> list[ModelInfo]:
        """List the models, with the windows that llama-swap's config tells in their metadata.

        Raises:
            BackendError: llama-swap does not answer.
        """
        await self._look_at_profiles()
        listed = await super().models()
        ready = await self._ready()
        return [replace(info, loaded=info.name in ready) for info in listed]

    async def describe(self, model: str) -> ModelInfo:
        """Describe a model; one that is loaded is asked for its true window.

        Raises:
            BackendError: llama-swap does not answer.
        """
        await self._look_at_profiles()
        info = await super().describe(model)
        if model not in await self._ready():
            # What is not listed may be an alias of a model that runs under its own name.
            return replace(info, loaded=None if info.note == UNLISTED else False)
        window = await self._running_window(model)
        if window and info.window_source != "config":
            info = replace(info, window=window, window_source="n_ctx of the running server")
        return replace(info, loaded=True)

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Count with the model's server if it runs, else estimate.

        Raises:
            BackendError: llama-swap does not answer.
        """
        if model not in await self._ready():
            return estimate(messages, source="estimate: the model is not loaded yet")
        return await self._count(model, messages, self._upstream(model))

    async def loaded(self) -> frozenset[str] | None:
        """Name the models that run or start; nothing is loaded by asking.

        Raises:
            BackendError: llama-swap does not answer.
        """
        try:
            return frozenset(await self._in_state("ready", "starting"))
        except BadReply:  # it has no `/running`
            return None

    async def learn_capacity(self) -> Learnt:
        """Ask the servers of the models that run for their slots.

        Which models may run together is the business of llama-swap's config, and not told.

        Raises:
            BackendError: llama-swap does not answer.
        """
        ready = sorted(await self._ready())
        told = {model: await self._props(model) for model in ready}
        return Learnt(
            models={
                model: as_count(props.get("total_slots")) or None for model, props in told.items()
            }
        )

    async def _entries(self) -> list[dict[str, Any]]:
        entries = await super()._entries()
        self._listed = {entry["id"]: entry for entry in entries}
        return entries

    def _evidence(self, model: str, entry: Mapping[str, Any]) -> Evidence:
        own = super()._evidence(model, entry)
        return route_evidence(model, self._listed, self._pins, own)

    async def _look_at_profiles(self) -> None:
        """Learn which names the active profile replaces; older versions have no profiles."""
        url = root_url(self._settings.url) + "/api/profiles"
        async with question(self._asked()):
            response = await self._wire.get(url, headers=self._headers)
        if response.status_code == _NOT_FOUND:
            self._pins = {}
            return
        try:
            self._pins = active_pins(response.json() if response.is_success else None)
        except ValueError:
            self._pins = None

    async def _ready(self) -> set[str]:
        return await self._in_state("ready")

    async def _in_state(self, *states: str) -> set[str]:
        told = await self._get(root_url(self._settings.url) + "/running")
        running = told.get("running") if isinstance(told, dict) else None
        return {
            str(one["model"])
            for one in (running if isinstance(running, list) else ())
            if isinstance(one, dict)
            and one.get("state") in states
            and is_usable_name(one.get("model"))
        }

    async def _props(self, model: str) -> Mapping[str, Any]:
        """Ask a model's own server what it is, once it runs: asking before would load it."""
        try:
            props = await self._get(self._upstream(model) + "/props", model)
        except BackendError:  # another kind of server, or it has stopped by now
            return {}
        return props if isinstance(props, dict) else {}

    async def _running_window(self, model: str) -> int | None:
        settings = (await self._props(model)).get("default_generation_settings")
        window = settings.get("n_ctx") if isinstance(settings, dict) else None
        return as_count(window) or None

    def _upstream(self, model: str) -> str:
        return f"{root_url(self._settings.url)}/upstream/{quote(model)}"
