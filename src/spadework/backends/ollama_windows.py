"""Chooses one context window for each Ollama model, the same in every process.

Ollama loads a model anew for each other `num_ctx`. So that no two processes, and no other client,
make it do that in turn, all of them follow one rule: the config's word; else that of the model as
it is loaded now, whoever loaded it; else what it would be loaded with: the `num_ctx` of its
Modelfile, else the window that it was trained for, up to `LARGEST_UNASKED_WINDOW`.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

from spadework.backends.server_backend import as_count
from spadework.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

LARGEST_UNASKED_WINDOW = 8192
"""The `num_ctx` of a model for which nobody chose one, in tokens; memory grows with it."""
BELIEVED_SECONDS = 2.0
"""How long a chat goes by what a description has just seen of the loaded models."""

OF_LOADED = "context_length of the loaded model in /api/ps"
NOT_TOLD_IN_TIME = "/api/show was not answered in time; the next list asks again"

_AT_ONCE = 8
_SECONDS_FOR_A_LIST = 2.0
"""For the descriptions of all models of a list: those who ask for it wait three seconds."""
_MOST_REMEMBERED = 1000
_NUM_CTX = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)

Window = tuple[int, str]
"""Tokens, and where they were learnt."""


class Windows:
    """Knows the window of every model of one Ollama server. Names are full: with their tags.

    Args:
        backend: its name, for what is said of a window.
        configured: the config's windows by name.
        ask_loaded: asks `/api/ps` for the loaded models and their windows, 0 where it is not told.
        ask_shown: asks `/api/show` for a model's description.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        backend: str,
        configured: Mapping[str, int],
        ask_loaded: Callable[[], Awaitable[dict[str, int]]],
        ask_shown: Callable[[str], Awaitable[dict[str, Any]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._configured = configured
        self._ask_loaded = ask_loaded
        self._ask_shown = ask_shown
        self._clock = clock
        self._loaded: dict[str, int] = {}
        self._looked = float("-inf")
        self._looking = asyncio.Lock()
        self._shown: dict[str, tuple[str, dict[str, Any]]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def of(self, name: str, *, believing: float = 0.0) -> Window:
        """Return a model's window: what it has, or what it will be loaded with.

        Args:
            name: the model.
            believing: how old, in seconds, what is known of the loaded models may be.

        Raises:
            BackendError: Ollama does not answer, or does not have the model.
        """
        if name in self._configured:
            return self._configured[name], "config"
        if window := (await self.loaded(believing=believing)).get(name):
            return window, OF_LOADED
        return self._unloaded(await self.shown(name))

    async def given(self, name: str, asked: int, used: int) -> int:
        """Return the window that a model really has: no more than it was trained for.

        Args:
            name: the model.
            asked: the window that it was asked for.
            used: the tokens of a prompt and its reply; only if these are more than it was trained
                for, Ollama is asked.
        """
        told = self.remembered(name)
        trained = _trained_window(told) if told else None
        if trained is None or used <= trained or asked <= trained:
            return asked
        try:
            loaded = (await self.loaded()).get(name)
        except BackendError:
            loaded = None
        return min(asked, loaded or asked)

    async def loaded(self, *, believing: float = 0.0) -> Mapping[str, int]:
        """Ask for the loaded models; what another task saw since it was asked will do."""
        wanted = self._clock() - believing
        if self._looked >= wanted:
            return self._loaded
        async with self._looking:
            if self._looked < wanted:
                begun = self._clock()
                self._loaded = await self._ask_loaded()
                self._looked = begun
            return self._loaded

    async def shown(self, name: str, digest: str = "") -> Mapping[str, Any]:
        """Return what `/api/show` tells of a model, asked once for each digest.

        Args:
            name: the model.
            digest: of the model as `/api/tags` has it now; empty: whichever was asked for last.

        Raises:
            BackendError: Ollama does not answer, or does not have the model.
        """
        if known := self.remembered(name, digest):
            return known
        async with self._asking.setdefault(name, asyncio.Lock()):
            if known := self.remembered(name, digest):
                return known
            try:
                told = _needed(await self._ask_shown(name))
            finally:
                self._asking.pop(name, None)
            if len(self._shown) >= _MOST_REMEMBERED:
                self._shown.clear()
            self._shown[name] = digest, told
            return told

    def remembered(self, name: str, digest: str = "") -> Mapping[str, Any] | None:
        """Return what `/api/show` reported for a model; None if it is unknown or out of date."""
        of_digest, told = self._shown.get(name, ("", None))
        return None if digest and of_digest != digest else told

    async def get_to_know(self, digests: Mapping[str, str]) -> None:
        """Ask about the models of a list, by their digests; what takes too long is left out."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def ask(name: str, digest: str) -> None:
            async with slots:
                try:
                    await self.shown(name, digest)
                except BackendError:
                    return  # its window stays unknown; a call will be told the reason

        tasks = [asyncio.create_task(ask(*one)) for one in self._unknown(digests)]
        if not tasks:
            return
        try:
            await asyncio.wait(tasks, timeout=_SECONDS_FOR_A_LIST)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _unknown(self, digests: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        for name, digest in digests.items():
            told = name in self._configured or self._loaded.get(name)
            if not told and self.remembered(name, digest) is None:
                yield name, digest

    def known(self, name: str, digest: str) -> tuple[int | None, str]:
        """Return a model's window as far as it is known without asking."""
        if name in self._configured:
            return self._configured[name], "config"
        if window := self._loaded.get(name):
            return window, OF_LOADED
        told = self.remembered(name, digest)
        return (None, NOT_TOLD_IN_TIME) if told is None else self._unloaded(told)

    def _unloaded(self, shown: Mapping[str, Any]) -> Window:
        trained = _trained_window(shown)
        parameters = shown.get("parameters")
        chosen = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
        if chosen and (window := int(chosen[1])):
            if trained and trained < window:  # Ollama gives no more than that either
                return trained, "context_length of the model in /api/show, its num_ctx being larger"
            return window, "num_ctx in the model's Modelfile"
        if trained and trained < LARGEST_UNASKED_WINDOW:
            return trained, "context_length of the model in /api/show"
        hint = f"set [backends.{self._backend}.windows] for more"
        return LARGEST_UNASKED_WINDOW, f"the num_ctx that Spadework asks for; {hint}"


def _needed(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not used of a description: its licence alone may be fifty kilobytes."""
    info = shown.get("model_info")
    sizes = info if isinstance(info, dict) else {}
    kept = ("parameters", "remote_host", "remote_model")
    return {name: shown[name] for name in kept if name in shown} | {
        "model_info": {
            name: value
            for name, value in sizes.items()
            if name == "general.architecture" or name.endswith(".context_length")
        }
    }


def _trained_window(shown: Mapping[str, Any]) -> int | None:
    info = shown.get("model_info")
    if not isinstance(info, dict):
        return None
    return as_count(info.get(f"{info.get('general.architecture')}.context_length")) or None
