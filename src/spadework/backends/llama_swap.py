"""llama-swap: it starts the server of the model that is asked for, and stops another's.

Whatever goes to `/upstream/<model>/` loads that model, so it is asked only of a model that
`/running` calls ready. `/running` also tells the command lines, which may hold secrets: of each
entry only the model and its state are read.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from spadework.backends.backend_traits import BackendTraits
from spadework.backends.base import DiscoveredCapacity
from spadework.backends.chat_completions import model_state, usable_names
from spadework.backends.llama_swap_routes import (
    active_pins,
    aliases_of,
    route_evidence,
    route_of,
)
from spadework.backends.openai import UNLISTED, WINDOW_FIELDS, OpenAIBackend
from spadework.backends.server_backend import as_count, request_timeout
from spadework.backends.token_counts import estimate
from spadework.errors import BackendError, BadReply
from spadework.util.untrusted_text import is_usable_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.base import BackendSettings, Message, ModelInfo, TokenCount
    from spadework.backends.trust import Evidence

# What users call the window in a model's `metadata` in llama-swap's config.
METADATA_FIELDS = tuple(
    f"meta.llamaswap.{key}" for key in ("ctx", "n_ctx", "context", "context_length")
)


_NOT_FOUND = 404
_AS_RUNNING = {"loaded": "ready", "loading": "starting"}
"""The words of the list's `status` in those of `/running`."""


def _lists_what_runs(text: str) -> bool:
    """Whether this is the reply of llama-swap's `/running`."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, dict) and isinstance(parsed.get("running"), list)


class LlamaSwapBackend(OpenAIBackend):
    """A llama-swap proxy in front of llama.cpp servers."""

    kind = "llama-swap"
    # It refuses the eleventh request for a model, whose own server tells its slots once it runs:
    # until then a few requests load it.
    traits = BackendTraits(
        "start llama-swap there",
        "add it to llama-swap's config",
        default_ports={8080: "llama-swap"},
        slots=8,
        slots_per_model=2,
        exclusive=True,
        loaded_models_tell_slots=True,
        signature=("/running", _lists_what_runs),
    )
    liveness_path = "/health"
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
        states = await self._states(self._listed.values())
        return [_in_state(info, states, info.name) for info in listed]

    async def describe(self, model: str) -> ModelInfo:
        """Describe a model; one that is loaded is asked for its true window.

        Raises:
            BackendError: llama-swap does not answer.
        """
        await self._look_at_profiles()
        info = await super().describe(model)
        if info.note == UNLISTED:  # it may be a name that llama-swap keeps to itself
            return info
        own = self.full_name(model)
        info = _in_state(info, await self._states(self._listed.values()), own)
        if not info.loaded:
            return info
        window = await self._running_window(own)
        if window and info.window_source != "config":
            info = replace(info, window=window, window_source="n_ctx of the running server")
        return info

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Count with the model's server if it runs, else estimate.

        Raises:
            BackendError: llama-swap does not answer.
        """
        own = self.full_name(model)
        states = await self._states(self._listed.values())
        if not states or states.get(own) != "ready":
            return estimate(messages, source="estimate: the model is not loaded yet")
        return await self._count(own, messages, _upstream(own))

    async def loaded(self) -> frozenset[str] | None:
        """Name the models that run or start; nothing is loaded by asking.

        Raises:
            BackendError: llama-swap does not answer.
        """
        states = await self._states(None)
        if states is None:
            return None
        return frozenset(name for name, state in states.items() if state in {"ready", "starting"})

    async def learn_capacity(self) -> DiscoveredCapacity:
        """Ask the servers of the models that run for their slots.

        Which models may run together is the business of llama-swap's config, and not told.

        Raises:
            BackendError: llama-swap does not answer.
        """
        states = await self._states(None) or {}
        ready = sorted(name for name, state in states.items() if state == "ready")
        told = {model: await self._props(model) for model in ready}
        return DiscoveredCapacity(
            models={
                model: as_count(props.get("total_slots")) or None for model, props in told.items()
            }
        )

    async def _entries(self) -> list[dict[str, Any]]:
        entries = await super()._entries()
        self._listed = {entry["id"]: entry for entry in entries}
        return entries

    def _aliases(self, entry: Mapping[str, Any]) -> list[str]:
        return usable_names(aliases_of(entry))

    def _described(self, entry: dict[str, Any]) -> ModelInfo:
        return replace(super()._described(entry), route=route_of(entry))

    def _evidence(self, model: str, entry: Mapping[str, Any]) -> Evidence:
        own = super()._evidence(model, entry)
        return route_evidence(model, self._listed, self._pins, own)

    async def _look_at_profiles(self) -> None:
        """Learn which names the active profile replaces; older versions have no profiles."""
        async with request_timeout(self._asked()):
            response = await self._request("/api/profiles")
        if response.status_code == _NOT_FOUND:
            self._pins = {}
            return
        try:
            self._pins = active_pins(response.json() if response.is_success else None)
        except ValueError:
            self._pins = None

    async def _states(self, listed: Iterable[dict[str, Any]] | None) -> dict[str, str] | None:
        """Say of each model whether it runs ("ready") or starts; None if that is not told.

        Args:
            listed: the entries of the list, which tells it too, in newer versions; None: it is
                asked for if it is needed.
        """
        try:
            told = await self._ask("/running")
        except BadReply:  # it has no `/running`
            told = None
        running = told.get("running") if isinstance(told, dict) else None
        if isinstance(running, list):
            return {
                str(one["model"]): str(one.get("state"))
                for one in running
                if isinstance(one, dict) and is_usable_name(one.get("model"))
            }
        try:
            entries = list(listed or await self._entries())
        except BadReply:
            return None
        states = {entry["id"]: model_state(entry) for entry in entries}
        if not any(states.values()):
            return None
        return {name: _AS_RUNNING.get(state, state) for name, state in states.items()}

    async def _props(self, model: str) -> Mapping[str, Any]:
        """Ask a model's own server what it is, once it runs: asking before would load it."""
        try:
            props = await self._ask(_upstream(model) + "/props", model=model)
        except BackendError:  # another kind of server, or it has stopped by now
            return {}
        return props if isinstance(props, dict) else {}

    async def _running_window(self, model: str) -> int | None:
        settings = (await self._props(model)).get("default_generation_settings")
        window = settings.get("n_ctx") if isinstance(settings, dict) else None
        return as_count(window) or None


def _upstream(model: str) -> str:
    """Return the path below which a model's own server is."""
    return f"/upstream/{quote(model)}"


def _in_state(info: ModelInfo, states: Mapping[str, str] | None, own: str) -> ModelInfo:
    """Add to a description whether its model, by its own name, is loaded."""
    if states is None:
        return info
    failed = "llama-swap calls it failed" if states.get(own) == "failed" else info.failed
    return replace(info, loaded=states.get(own) == "ready", failed=failed)
