"""A short-lived cache of the backends' model lists, which saves a round trip per call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar, cast

from spadework.backends.base import ModelInfo
from spadework.config.api_keys import window_keys
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from spadework.backends.base import Backend
    from spadework.backends.trust import Trust

    CacheKey = tuple[str, frozenset[tuple[str, str]]]
    AskBackend = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]]

_REMEMBERED_SECONDS = 30.0
_REMEMBERED_SECONDS_OF_LOADED = 1.0
_MOST_REMEMBERED = 1000

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
        ask: AskBackend,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backends = backends
        self._ask = ask
        self._clock = clock
        self._known: dict[CacheKey, tuple[float, object]] = {}
        self._asking: dict[CacheKey, asyncio.Future[object]] = {}
        self._trust: dict[str, Trust] = {}

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
                hint=f"the backends are: {known}; `spadework models` lists their models",
            )
        return backend, model

    async def describe(self, model_id: str) -> ModelInfo:
        """Describe a model, from memory if that is fresh; its window is as it is now.

        Raises:
            BackendError: the backend does not answer, or does not have it.
            ConfigError: no backend of that name is configured.
        """
        backend, model = self.find(model_id)
        is_new = False

        async def look() -> ModelInfo:
            nonlocal is_new
            is_new = True
            return await backend.describe(model)

        info = await self._remembered(model_id, backend.name, look)
        if is_new or not backend.windows_change:
            return info
        return cast("ModelInfo", await self._ask(backend.name, lambda: backend.refreshed(info)))

    def last_trust(self, model_id: str) -> Trust:
        """What was last learned of a model's trust, however long ago.

        Before that, what can be said without asking: for a preference it will do, never for a
        decision on what may be sent.
        """
        if known := self._trust.get(model_id):
            return known
        backend, model = self.find(model_id)
        return "cloud" if backend.presumed(model) else "local"

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
        subject: str,
        backend: str,
        question: Callable[[], Awaitable[Found]],
        seconds: float = _REMEMBERED_SECONDS,
    ) -> Found:
        """Ask once for all who want to know at the same time, and remember it for a while.

        What one window may know with its key is not told to another one without.
        """
        key = (subject, frozenset(window_keys.get().items()))
        known = self._known.get(key)
        if known and self._clock() - known[0] < seconds:
            return cast("Found", known[1])
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._find_out(key, backend, question))
            self._asking[key] = asking
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return cast("Found", await asyncio.shield(asking))

    async def _find_out(
        self, key: CacheKey, backend: str, question: Callable[[], Awaitable[object]]
    ) -> object:
        try:
            found = await self._ask(backend, question)
            self._note_trust(found)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = (self._clock(), found)
            return found
        finally:
            del self._asking[key]

    def _note_trust(self, found: object) -> None:
        infos = found if isinstance(found, list) else [found]
        if len(self._trust) >= _MOST_REMEMBERED:
            self._trust.clear()
        self._trust |= {one.id: one.trust for one in infos if isinstance(one, ModelInfo)}

    def forget(self, model_id: str) -> None:
        """Forget what a failure has cast doubt on: the model, and its backend's list."""
        doubtful = {model_id, model_id.partition("/")[0]}
        self._known = {key: known for key, known in self._known.items() if key[0] not in doubtful}
