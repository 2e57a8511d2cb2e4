"""What the backends have, remembered for a short while: a call costs no extra round trip."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from journeyman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from journeyman.backends.base import Backend, ModelInfo

_REMEMBERED_SECONDS = 30.0


class Catalog:
    """Looks up backends and the descriptions of their models."""

    def __init__(
        self, backends: Mapping[str, Backend], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.backends = backends
        self._clock = clock
        self._described: dict[str, tuple[float, ModelInfo]] = {}

    def find(self, model_id: str) -> tuple[Backend, str]:
        """Split `backend/model` into the backend and the model's own name.

        Raises:
            ConfigError: no backend of that name is configured.
        """
        name, _, model = model_id.partition("/")
        backend = self.backends.get(name)
        if backend is None or not model:
            known = ", ".join(sorted(self.backends))
            raise ConfigError(
                f"{model_id!r}: no such backend; a model is written backend/model",
                hint=f"the backends are: {known}; `journeyman models` lists their models",
            )
        return backend, model

    async def describe(self, model_id: str) -> ModelInfo:
        """Describe a model, from memory if that is fresh.

        Raises:
            BackendError: the backend does not answer, or does not have it.
            ConfigError: no backend of that name is configured.
        """
        known = self._described.get(model_id)
        if known and self._clock() - known[0] < _REMEMBERED_SECONDS:
            return known[1]
        backend, model = self.find(model_id)
        info = await backend.describe(model)
        self._described[model_id] = (self._clock(), info)
        return info

    def forget(self, model_id: str) -> None:
        """Forget a description that a failure has cast doubt on."""
        self._described.pop(model_id, None)
