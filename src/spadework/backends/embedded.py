"""The embedded engine as a backend: one model, served by llama.cpp in a child process."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spadework.backends.backend_traits import BackendTraits
from spadework.backends.base import BackendSettings, DiscoveredCapacity, ModelInfo
from spadework.backends.openai import OpenAIBackend
from spadework.config.models import EMBEDDED
from spadework.embedded.engine import EmbeddedEngine
from spadework.errors import BackendUnavailable, CutStream, EmbeddedError, ModelUnknown
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from pathlib import Path

    import openai

    from spadework.backends.base import Backend, ChatRequest, Chunk, Message, TokenCount
    from spadework.backends.error_translation import RequestContext
    from spadework.backends.trust import Evidence
    from spadework.config.models import EmbeddedConfig

_KIND = "embedded"
_TRAITS = BackendTraits("ask again: the embedded engine is started anew", is_child=True)
_SETTINGS = BackendSettings(name=EMBEDDED, url="http://embedded-engine")


class EmbeddedBackend:
    """One model, with no server of the user's; the engine starts when the model is first used."""

    name = EMBEDDED
    kind = _KIND
    traits = _TRAITS
    windows_change = False
    unusable_names = 0
    first_token_timeout = _SETTINGS.first_token_timeout
    idle_timeout = _SETTINGS.idle_timeout

    def __init__(self, config: EmbeddedConfig) -> None:
        self._slots = config.slots
        self._config = config
        self._engine = EmbeddedEngine(config)
        self._server: LlamaServer | None = None

    async def models(self) -> list[ModelInfo]:
        """List the one model.

        Raises:
            BackendUnavailable: the engine or the model is not installed, or the file is broken.
        """
        return [await self.describe(self._engine.model.name)]

    async def describe(self, model: str) -> ModelInfo:
        """Describe the model, from the config and the model file: nothing is started.

        Raises:
            ModelUnknown: it has another name.
            BackendUnavailable: the engine or the model is not installed, or the file is broken.
        """
        self._check_name(model)
        with self._told_as_unavailable():
            window, source = self._engine.window()
        return ModelInfo(
            EMBEDDED,
            model,
            window=window,
            window_source=source,
            loaded=self._engine.running,
            note=self._engine.model.note,
            trust="local",
            trust_source="runs in this process's child",
        )

    async def refreshed(self, info: ModelInfo) -> ModelInfo:
        """Return it as it is."""
        return info

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Count with the model's own tokenizer; starts the engine.

        Raises:
            BackendError: the model is unknown, or the engine does not start.
        """
        async with self._server_for(model) as server:
            return await server.count_tokens(model, messages)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Stream a reply; starts the engine. Closing the generator stops the model.

        Raises:
            BackendError: the model is unknown, the engine does not start, or see
                `spadework.errors`.
        """
        async with (
            self._server_for(request.model) as server,
            aclosing(server.chat(request)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    async def probe(self) -> None:
        """Nothing to ask: a request starts the engine."""

    async def loaded(self) -> frozenset[str]:
        """Name the model if the engine runs."""
        return frozenset({self._engine.model.name} if self._engine.running else ())

    async def learn_capacity(self) -> DiscoveredCapacity:
        """Tell the slots that the engine is started with."""
        return DiscoveredCapacity(slots=self._slots)

    def presumed(self, model: str) -> Evidence | None:
        """Say nothing: it is local."""
        del model
        return None

    def full_name(self, model: str) -> str:
        """The model has one name."""
        return model

    def is_like(self, other: Backend) -> bool:
        """Tell whether another one was opened with the same config: loading again costs seconds."""
        if not isinstance(other, EmbeddedBackend):
            return False
        return other._config == self._config  # noqa: SLF001 - it is of this very class

    async def close(self) -> None:
        """Close the connections and end the engine."""
        if self._server is not None:
            await self._server.close()
        await self._engine.stop()

    @asynccontextmanager
    async def _server_for(self, model: str) -> AsyncIterator[LlamaServer]:
        """Start the engine if it does not run, and keep it running for the body."""
        self._check_name(model)
        with self._told_as_unavailable():
            async with self._engine.used() as socket:
                server = await self._server_at(socket)
                try:
                    yield server
                except (BackendUnavailable, CutStream):
                    # A worker that broke down must be dead before its failure is reported: asking
                    # again then helps.
                    await self._engine.settle()
                    raise

    async def _server_at(self, socket: Path) -> LlamaServer:
        if self._server is not None and self._server.socket == socket:
            return self._server
        # The engine has been started anew, on a new socket.
        old, self._server = self._server, LlamaServer(socket)
        server = self._server
        if old is not None:
            await old.close()
        return server

    def _check_name(self, model: str) -> None:
        own = self._engine.model.name
        if model != own:
            raise ModelUnknown(
                f"the embedded model is {display_name(own)}",
                backend=EMBEDDED,
                model=model,
                hint=f"ask for {display_name(f'{EMBEDDED}/{own}')}, or choose another file: "
                "`spadework embedded use PATH|NAME`",
            )

    @contextmanager
    def _told_as_unavailable(self) -> Iterator[None]:
        try:
            yield
        except EmbeddedError as error:
            raise BackendUnavailable(
                str(error), backend=EMBEDDED, model=self._engine.model.name, hint=error.hint
            ) from error


class LlamaServer(OpenAIBackend):
    """The server in the worker, on its unix socket."""

    kind = _KIND
    traits = _TRAITS

    def __init__(self, socket: Path) -> None:
        super().__init__(_SETTINGS, socket=str(socket))
        self.socket = socket

    # The server closes idle connections, and a request that meets a closing one is lost. A new
    # connection over a unix socket costs next to nothing.
    _headers = MappingProxyType({"Accept": "application/json", "Connection": "close"})

    async def _post_stream(
        self, asked: RequestContext, body: dict[str, Any]
    ) -> openai.AsyncStream[object]:
        # While it reads a prompt the server notices that we have gone only when it writes, so it
        # is asked to write after each batch: else it would first read the whole prompt.
        return await super()._post_stream(asked, body | {"return_progress": True})
