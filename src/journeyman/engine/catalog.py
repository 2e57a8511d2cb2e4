"""What the backends have, remembered for a short while: a call costs no extra round trip."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar, cast

from journeyman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from journeyman.backends.base import Backend, ModelInfo

    Ask = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]]

_REMEMBERED_SECONDS = 30.0
_REMEMBERED_SECONDS_OF_LOADED = 1.0

Found = TypeVar("Found")


class Catalog:
    """Looks up backends and the descriptions of their models.

    Args:
        backends: the backends by name.
        ask: asks a backend, by its name, a question; a dead one is not asked again at once.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        ask: Ask,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backends = backends
        self._ask = ask
        self._clock = clock
        self._known: dict[str, tuple[float, object]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

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
        backend, model = self.find(model_id)
        return await self._remembered(model_id, backend.name, lambda: backend.describe(model))

    async def models(self, backend: str) -> list[ModelInfo]:
        """List a backend's models, from memory if that is fresh.

        Raises:
            BackendError: the backend does not answer.
        """
        return await self._remembered(backend, backend, self.backends[backend].models)

    async def loaded(self, backend: str) -> frozenset[str] | None:
        """Name the models that a backend holds now; None where it does not tell.

        Raises:
            BackendError: the backend does not answer.
        """
        question = self.backends[backend].loaded
        return await self._remembered(
            f"{backend} holds", backend, question, seconds=_REMEMBERED_SECONDS_OF_LOADED
        )

    async def _remembered(
        self,
        key: str,
        backend: str,
        question: Callable[[], Awaitable[Found]],
        seconds: float = _REMEMBERED_SECONDS,
    ) -> Found:
        """Ask once for all who want to know at the same time, and remember it for a while."""
        async with self._asking.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            if known and self._clock() - known[0] < seconds:
                return cast("Found", known[1])
            found = cast("Found", await self._ask(backend, question))
            self._known[key] = (self._clock(), found)
            return found

    def forget(self, model_id: str) -> None:
        """Forget what a failure has cast doubt on: the model, and its backend's list."""
        self._known.pop(model_id, None)
        self._known.pop(model_id.partition("/")[0], None)
