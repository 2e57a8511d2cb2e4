"""Any server with OpenAI's chat API: llama-server, vLLM, LM Studio and many more."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from spadework.backends.backend_traits import BackendTraits
from spadework.backends.base import DiscoveredCapacity, ModelInfo
from spadework.backends.chat_completions import (
    does_other_work,
    is_of_litellm,
    load_failure,
    model_state,
    optional_fields,
    own_names,
    read_event,
    request_body,
    sounds_like_a_cloud,
    usable_names,
    window_of,
)
from spadework.backends.error_translation import bad_reply, translate_errors
from spadework.backends.http_clients import (
    import_in_thread,
    openai_client,
)
from spadework.backends.litellm_routes import VERSION_HEADER, origin_of, went_elsewhere
from spadework.backends.server_backend import (
    ServerBackend,
    as_count,
    stream_chunks,
)
from spadework.backends.token_counts import ServerTokenizers
from spadework.backends.trust import Evidence, of_address, of_cloud_tag, worst
from spadework.errors import BadReply, RequestRejected, SentToCloud
from spadework.util.untrusted_text import is_usable_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import openai

    from spadework.backends.base import BackendSettings, ChatRequest, Chunk, Message, TokenCount
    from spadework.backends.error_translation import RequestContext

# The window's field in an entry of /v1/models, the loaded window before the largest possible one:
# llama.cpp's, then vLLM's, LM Studio's, LiteLLM's, OpenRouter's.
WINDOW_FIELDS = (
    "meta.n_ctx",
    "max_model_len",
    "loaded_context_length",
    "max_input_tokens",
    "context_length",
    "max_context_length",
)
UNLISTED = "not in the server's list"
NO_STREAMS = {"application/json", "text/html"}
# The states of llama-server's router; a "sleeping" model has freed its memory.
IN_MEMORY = {"loading", "loaded"}


class OpenAIBackend(ServerBackend):
    """A server with OpenAI's chat API.

    Its lists are asked for without the SDK: importing that would hold up the first list of tools.

    Args:
        settings: the backend, its key resolved.
        socket: the path of the unix socket on which the server listens, instead of a port.
    """

    kind = "openai"
    traits = BackendTraits(
        "start the server there", default_ports={1234: "LM Studio", 8000: "vLLM"}
    )
    window_fields: tuple[str, ...] = WINDOW_FIELDS
    liveness_path = "/v1/models"

    def __init__(self, settings: BackendSettings, *, socket: str | None = None) -> None:
        super().__init__(settings, socket=socket)
        self._own_names: dict[str, str] = {}
        """What the aliases of the last list stand for."""
        self._tokenizers = ServerTokenizers()
        self._refused: set[tuple[str, str]] = set()
        """Fields beyond the usual that a model was asked with and that were refused, by name."""
        self._is_litellm = False
        """Whether a proxy answered that does not say to this kind of backend where it leads."""

    async def models(self) -> list[ModelInfo]:
        """List the chat models of `/v1/models`; entries that say they do other work are left out.

        Raises:
            BackendError: the server does not answer, or not as it should.
        """
        return [self._described(entry) for entry in await self._entries()]

    async def describe(self, model: str) -> ModelInfo:
        """Describe a model by its entry in `/v1/models`.

        A model that is not listed may exist nevertheless (an alias, one behind a wildcard): its
        window is then unknown, unless the config tells it.

        Raises:
            BackendError: the server does not answer.
        """
        try:
            entries = await self._entries()
        except BadReply:  # a server without a list may still chat
            entries = []
        for entry in entries:
            if entry["id"] == self.full_name(model):
                return self._as_called(self._described(entry), model, entry)
        info = self._settings.with_window(ModelInfo(self.name, model, note=UNLISTED))
        return self._judged(info, self._evidence(model, {}))

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Count with the server's tokenizer if it has one (llama.cpp, vLLM), else estimate.

        Raises:
            BackendError: the server does not answer.
        """
        return await self._count(model, messages)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Stream a reply. Closing the generator closes the connection, which stops the model.

        Raises:
            BackendError: see `spadework.errors`.
        """
        asked = self._asked(request.model)
        stream = await self._open_stream(asked, request)
        async with stream, aclosing(stream_chunks(asked, stream, read_event)) as chunks:
            media = stream.response.headers.get("content-type", "").partition(";")[0]
            self._notice(stream.response.headers)
            self._check_origin(asked, request, stream.response.headers)
            if media in NO_STREAMS:
                raise bad_reply(asked, f"{media} where a stream of events was asked for")
            async for chunk in chunks:
                yield chunk

    async def loaded(self) -> frozenset[str] | None:
        """Name the loaded models if the server tells them in `/v1/models`: llama-server's router.

        Raises:
            BackendError: the server does not answer, or not as it should.
        """
        try:
            states = {entry["id"]: model_state(entry) for entry in await self._entries()}
        except BadReply:  # a server without a list may still chat
            return None
        if not any(states.values()):
            return None
        return frozenset(name for name, state in states.items() if state in IN_MEMORY)

    async def learn_capacity(self) -> DiscoveredCapacity:
        """Ask llama-server's `/props`; a server that has none tells nothing.

        Raises:
            BackendError: the server does not answer, or wants a key.
        """
        try:
            props = await self._ask("/props")
        except (BadReply, RequestRejected):
            return DiscoveredCapacity()
        if not isinstance(props, dict):
            return DiscoveredCapacity()
        # The router tells for how many models it has room, and no slots: those are each model's.
        room = as_count(props.get("max_instances")) if props.get("role") == "router" else None
        return DiscoveredCapacity(
            slots=as_count(props.get("total_slots")) or None,
            exclusive=room == 1 if room else None,
        )

    def full_name(self, model: str) -> str:
        """The model's own name, where the server's last list had this one as an alias."""
        return self._own_names.get(model, model)

    async def close(self) -> None:
        """Close the connections."""
        self.__dict__.pop("_client", None)
        await super().close()

    @cached_property
    def _client(self) -> openai.AsyncOpenAI:
        return openai_client(self._settings, self._wire).with_options(default_headers=self._headers)

    def _notice(self, headers: Mapping[str, str]) -> None:
        self._is_litellm = self._is_litellm or VERSION_HEADER in headers

    async def _entries(self) -> list[dict[str, Any]]:
        listed = await self._ask("/v1/models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(entries, list):
            raise bad_reply(self._asked(), "not a list of models", repr(listed))
        named = [one for one in entries if isinstance(one, dict) and isinstance(one.get("id"), str)]
        self._is_litellm = self._is_litellm or any(map(is_of_litellm, named))
        usable = [entry for entry in named if is_usable_name(entry["id"])]
        self.unusable_names = len(named) - len(usable)
        self._own_names = own_names({entry["id"]: self._aliases(entry) for entry in usable})
        return [entry for entry in usable if not does_other_work(entry)]

    def _aliases(self, entry: Mapping[str, Any]) -> list[str]:
        """Name the other names of an entry, as far as they can be used."""
        return usable_names(entry.get("aliases"))

    def _described(self, entry: dict[str, Any]) -> ModelInfo:
        window, field = window_of(entry, self.window_fields)
        source = f"{field} in /v1/models" if field else ""
        note = "by its name an embedding model" if "embed" in entry["id"].lower() else ""
        info = self._settings.with_window(
            ModelInfo(self.name, entry["id"], window=window, window_source=source, note=note)
        )
        own = [one for one in self._aliases(entry) if self._own_names.get(one) == info.name]
        info = replace(info, aliases=tuple(dict.fromkeys(own)), failed=load_failure(entry))
        return self._judged(info, self._evidence(entry["id"], entry))

    def _evidence(self, model: str, entry: Mapping[str, Any]) -> Evidence:
        """Judge a model by the server's address, and by what the server says of it.

        Args:
            model: its name.
            entry: its entry in the list; empty where it has none.
        """
        found = of_address(self._settings.url, self._settings.rules)
        if found.trust == "local" and self._is_litellm:
            what = 'a LiteLLM proxy: with kind = "litellm" its routes are read'
            found = Evidence("unknown", what)
        elif found.trust == "local" and not entry.get("meta") and sounds_like_a_cloud(entry):
            found = Evidence(
                "unknown", "named or owned like a cloud model; list it in local_models"
            )
        tagged = of_cloud_tag(model)
        return worst([found, tagged]) if tagged else found

    def _as_called(self, info: ModelInfo, name: str, entry: Mapping[str, Any]) -> ModelInfo:
        """Give a model the name that it is called by, and the worse trust of its two names."""
        if name == info.name:
            return info
        others = tuple(one for one in (info.name, *info.aliases) if one != name)
        called = replace(info, name=name, aliases=others)
        called = self._judged(called, self._evidence(name, entry))
        if called.trust != "local" or info.trust == "local":
            return called
        return replace(called, trust=info.trust, trust_source=info.trust_source)

    def _check_origin(
        self, asked: RequestContext, request: ChatRequest, headers: Mapping[str, str]
    ) -> None:
        """Refuse an answer that came from elsewhere than from the local model that was asked.

        Raises:
            SentToCloud: the server says that a model answered which is not local.
        """
        origin = self._origin(request.model, headers) if request.local_only else None
        if origin is None or origin.trust == "local":
            return
        source = f"it passed a request on ({origin.source})"
        self._leaked[request.model] = Evidence(origin.trust, source, firm=True)
        raise asked.fault(
            SentToCloud,
            f"the server passed the request on to a model that is not local: {origin.source}",
            "remove the fallback from the proxy's config, or list the model in cloud_models",
        )

    def _origin(self, model: str, headers: Mapping[str, str]) -> Evidence | None:
        """Read off the headers of an answer where it came from; None where nothing changed."""
        del model
        rules = replace(self._settings.rules, backend=None)
        return origin_of(headers, rules) if went_elsewhere(headers) else None

    async def _count(
        self, model: str, messages: tuple[Message, ...], below: str = ""
    ) -> TokenCount:
        """Count with the server at the root, or below a path of it."""

        async def post(path: str, body: dict[str, Any]) -> Any:
            return await self._ask(below + path, body, model)

        return await self._tokenizers.count(below, post, model, messages)

    async def _open_stream(
        self, asked: RequestContext, request: ChatRequest
    ) -> openai.AsyncStream[object]:
        body = self._body(request)
        extras = optional_fields(request)
        while True:
            wanted = [name for name in extras if (request.model, name) not in self._refused]
            more = {key: value for name in wanted for key, value in extras[name].items()}
            try:
                return await self._post_stream(asked, body | more)
            except RequestRejected as refusal:
                refused = [name for name in wanted if name in refusal.body]
                if not refused:
                    raise
                self._refused.update((request.model, name) for name in refused)

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        return request_body(request)

    async def _post_stream(
        self, asked: RequestContext, body: dict[str, Any]
    ) -> openai.AsyncStream[object]:
        await import_in_thread("openai")
        import openai  # noqa: PLC0415 - importing it is slow

        wanted = openai.AsyncStream[
            object
        ]  # plain JSON: the SDK's models drop what is not OpenAI's
        with translate_errors(asked):
            return await self._client.post(
                "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=wanted
            )
