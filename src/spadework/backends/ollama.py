"""Ollama's own API, which alone can be told not to truncated the prompt without reporting it.

Ollama's client library is not used: it has no `truncate`, and it drops the fields that tell of
cloud models.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spadework.backends.backend_traits import BackendTraits
from spadework.backends.base import Chunk, DiscoveredCapacity, ModelInfo, Usage
from spadework.backends.error_translation import ServerError, UnexpectedReply, bad_reply
from spadework.backends.http_clients import root_url
from spadework.backends.ollama_windows import BELIEVED_SECONDS, Windows
from spadework.backends.server_backend import (
    ServerBackend,
    as_count,
    as_json,
    as_tokens,
    stream_chunks,
)
from spadework.backends.token_counts import estimate, estimate_tokens
from spadework.backends.trust import Evidence, of_address, of_cloud_tag, worst
from spadework.errors import ContextExceeded, SentToCloud
from spadework.util.untrusted_text import display_name, is_usable_name, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from spadework.backends.base import BackendSettings, ChatRequest, Message, TokenCount
    from spadework.backends.error_translation import RequestContext

_LEAST_ANSWER = 256
"""Tokens that an answer may have though the estimate leaves no room for them: it may be wrong."""


class OllamaBackend(ServerBackend):
    """An Ollama server. The `num_ctx` that a model is asked for follows `ollama_windows`."""

    kind = "ollama"
    # One request for each model unless OLLAMA_NUM_PARALLEL says more, which it does not report.
    traits = BackendTraits(
        "start Ollama there (`ollama serve`)",
        "run `ollama pull {model}` on that machine",
        default_ports={11434: "Ollama"},
        slots=16,
        slots_per_model=1,
        signature=("/", lambda text: "Ollama is running" in text),
        signature_is_conclusive=True,
    )
    liveness_path = "/api/version"
    windows_change = True

    def __init__(self, settings: BackendSettings) -> None:
        super().__init__(settings)
        configured = {full_name(name): size for name, size in settings.windows.items()}
        self._windows = Windows(self.name, configured, self._ask_loaded, self._ask_shown)

    async def models(self) -> list[ModelInfo]:
        """List the models that can chat, each with the window that `describe` tells of it.

        A model whose description Ollama does not tell in time has none.

        Raises:
            BackendError: Ollama does not answer, or not as it should.
        """
        tags = await self._tags()
        loaded = await self._windows.loaded()
        usable = {name: tag for name, tag in tags.items() if is_usable_name(name)}
        self.unusable_names = len(tags) - len(usable)
        listed = {name: tag for name, tag in usable.items() if not _only_embeds(tag)}
        await self._windows.get_to_know({name: _digest(tag) for name, tag in listed.items()})
        found = []
        for name, tag in listed.items():
            window, source = self._windows.known(name, _digest(tag))
            shown = self._windows.remembered(name, _digest(tag))
            info = ModelInfo(
                self.name, name, window, source, name in loaded, aliases=_other_names(name)
            )
            found.append(self._judged(info, self._evidence(name, tag, shown)))
        return found

    async def describe(self, model: str) -> ModelInfo:
        """Describe a model; its window is the `num_ctx` that `chat` asks for.

        Raises:
            ModelUnknown: Ollama does not have it.
            BackendError: Ollama does not answer, or not as it should.
        """
        name = full_name(model)
        tag = (await self._tags()).get(name)
        shown = None
        if tag is not None and not _is_remote(tag):
            shown = await self._windows.shown(name, _digest(tag))
        info = await self.refreshed(ModelInfo(self.name, model, aliases=_other_names(model)))
        return self._judged(info, self._evidence(name, tag, shown))

    async def refreshed(self, info: ModelInfo) -> ModelInfo:
        """Look again at the window, which another client may have changed: it loads as it likes.

        Raises:
            ModelUnknown: Ollama does not have it any more.
            BackendError: Ollama does not answer, or not as it should.
        """
        name = full_name(info.name)
        loaded = name in await self._windows.loaded()
        window, source = await self._windows.of(name, believing=BELIEVED_SECONDS)
        return replace(info, window=window, window_source=source, loaded=loaded)

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Estimate: Ollama's API has no tokenizer."""
        del model
        return estimate(messages, source="estimate: Ollama offers no tokenizer")

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Stream a reply. Closing the generator closes the connection, which stops the model.

        Raises:
            ContextExceeded: the prompt does not fit, and is never cut; or the reply grew beyond
                the window, so that Ollama forgot the prompt's beginning.
            BackendError: see `spadework.errors`.
        """
        asked = self._asked(request.model)
        name = full_name(request.model)
        window, _ = await self._windows.of(name, believing=BELIEVED_SECONDS)
        lines = self._post_chat(request_body(request, window))
        read = partial(self._read_local, request.model) if request.local_only else read_line
        async with aclosing(lines), aclosing(stream_chunks(asked, lines, read)) as chunks:
            async for chunk in chunks:
                if chunk.usage:
                    await self._check_nothing_forgotten(asked, chunk.usage, window)
                yield chunk

    async def _check_nothing_forgotten(
        self, asked: RequestContext, usage: Usage, window: int
    ) -> None:
        """Refuse a reply that went on beyond the window: at its end Ollama drops the first tokens.

        Raises:
            ContextExceeded: prompt and reply together had more tokens than the window.
        """
        read, written = usage.prompt_tokens or 0, usage.completion_tokens or 0
        window = await self._windows.given(full_name(asked.model), window, read + written)
        if read + written <= window:
            return
        fault = asked.fault(
            ContextExceeded,
            f"the prompt's {read} tokens and the {written} of the reply do not fit the window of "
            f"{window} together: Ollama forgot the prompt's beginning",
            "give it less, ask for a shorter answer, or a model with a larger window",
        )
        fault.tokens, fault.window = read, window
        raise fault

    def _read_local(self, model: str, line: Mapping[str, Any]) -> Chunk | None:
        """Make a chunk of a line, which says where it comes from if that is another server.

        Raises:
            SentToCloud: it comes from a server that is not local.
        """
        if isinstance(line, dict) and (found := self._remote(line)) and found.trust != "local":
            self._leaked[full_name(model)] = found
            raise self._asked(model).fault(
                SentToCloud, f"Ollama passed the request on: {found.source}"
            )
        return read_line(line)

    async def loaded(self) -> frozenset[str]:
        """Name the models in memory, each with its tag; nothing is loaded by asking.

        Raises:
            BackendError: Ollama does not answer, or not as it should.
        """
        return frozenset(await self._windows.loaded())

    async def learn_capacity(self) -> DiscoveredCapacity:
        """Not told: OLLAMA_NUM_PARALLEL and OLLAMA_MAX_LOADED_MODELS are known to Ollama alone."""
        return DiscoveredCapacity()

    def full_name(self, model: str) -> str:
        """The model's name with its tag: `smollm2` is `smollm2:latest`."""
        return full_name(model)

    async def _tags(self) -> dict[str, dict[str, Any]]:
        """List what `/api/tags` says of each model, by its full name.

        Raises:
            BackendError: Ollama does not answer, or not as it should.
        """
        tags: dict[str, dict[str, Any]] = {}
        for name, tag in await self._list("/api/tags"):
            if not _is_remote(tags.get(name, {})):
                tags[name] = tag
        return tags

    async def _list(self, path: str) -> list[tuple[str, dict[str, Any]]]:
        """Ask for a list of models; each with its full name."""
        reply = await self._ask(path)
        listed = reply.get("models") if isinstance(reply, dict) else None
        if not isinstance(listed, list):
            raise bad_reply(self._asked(), "not a list of models", repr(reply))
        entries = [entry for entry in listed if isinstance(entry, dict)]
        named = [(entry.get("model") or entry.get("name"), entry) for entry in entries]
        return [(full_name(name), entry) for name, entry in named if isinstance(name, str)]

    async def _ask_shown(self, model: str) -> dict[str, Any]:
        """Ask `/api/show`, which tells of a cloud too.

        Raises:
            BackendError: Ollama does not answer, or does not have the model.
        """
        reply = await self._ask("/api/show", {"model": model}, model)
        if not isinstance(reply, dict):
            raise bad_reply(self._asked(model), "not a description of a model", repr(reply))
        return reply

    def _evidence(
        self, name: str, tag: Mapping[str, Any] | None, shown: Mapping[str, Any] | None
    ) -> Evidence:
        """Judge a model by the address and by Ollama's own words.

        Args:
            name: the model's full name.
            tag: its entry in `/api/tags`; None if it has none.
            shown: its description; None if it was not asked for.
        """
        near = of_address(self._settings.url, self._settings.rules)
        clues = [of_cloud_tag(name), self._remote(tag or {}), self._remote(shown or {})]
        if tag is None:
            clues.append(Evidence("unknown", "Ollama does not list it"))
        return worst([near, *(clue for clue in clues if clue)])

    def _remote(self, described: Mapping[str, Any]) -> Evidence | None:
        """Judge the server that Ollama itself asks for a model, if there is one."""
        if not _is_remote(described):
            return None
        host, model = (_text(described.get(key)) for key in ("remote_host", "remote_model"))
        found = of_address(host, replace(self._settings.rules, backend=None))
        source = f"Ollama's remote_host {display_name(one_line(host or model, 60))}"
        return Evidence(found.trust, source, firm=True)

    async def _post_chat(self, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        url = root_url(self._settings.url) + "/api/chat"
        stream = self._wire.stream("POST", url, json=body, headers=self._headers)
        async with stream as response:
            if response.is_error:
                await response.aread()
            response.raise_for_status()
            async for line in response.aiter_lines():
                yield json.loads(line)

    async def _ask_loaded(self) -> dict[str, int]:
        """Ask for the loaded models and their windows, 0 where an old Ollama does not tell."""
        return {
            name: as_count(one.get("context_length")) or 0
            for name, one in await self._list("/api/ps")
            if is_usable_name(name)
        }


def full_name(model: str) -> str:
    """Return a model's name with its tag, as `/api/tags` has it: `smollm2:latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _other_names(model: str) -> tuple[str, ...]:
    """Return the other name of a model that has two: `smollm2:latest` of `smollm2`, and back."""
    names = {full_name(model), model.removesuffix(":latest")}
    return tuple(names - {model})


def request_body(request: ChatRequest, num_ctx: int) -> dict[str, Any]:
    """Return the body for `/api/chat`.

    `shift: false` would end a reply at the end of the window, but it is an option with which a
    model is loaded: clients that do not send it would have it loaded anew, and so would we. So
    the reply is bounded here, and its figures are looked at in the end.
    """
    room = num_ctx - estimate_tokens(request.messages)
    longest = min(request.max_tokens, max(room, _LEAST_ANSWER))
    options: dict[str, Any] = {"num_ctx": num_ctx, "num_predict": longest}
    if request.temperature is not None:
        options["temperature"] = request.temperature
    body: dict[str, Any] = {
        "model": request.model,
        "messages": as_json(request.messages),
        "stream": True,
        "truncate": False,  # refuse a prompt that is too long, instead of cutting it (0.12.4)
        "options": options,
    }
    if request.schema is not None:
        body["format"] = dict(request.schema)
    if request.alternatives:  # versions that know no such thing take no notice
        body |= {"logprobs": True, "top_logprobs": request.alternatives}
    return body


def read_line(line: Mapping[str, Any]) -> Chunk | None:
    """Make a chunk of one line of a stream; None if it says nothing.

    Raises:
        ServerError: it is an error.
        UnexpectedReply: it is not a line of a chat.
    """
    if not isinstance(line, dict):
        raise UnexpectedReply("not a line of a chat", repr(line))
    if error := line.get("error"):
        raise ServerError(error)
    message = line.get("message")
    if not isinstance(message, dict) and not line.get("done"):
        raise UnexpectedReply("not a line of a chat", repr(line))
    text, thinking = (
        _text(message.get(key)) if isinstance(message, dict) else ""
        for key in ("content", "thinking")
    )
    tokens = as_tokens(line.get("logprobs"))
    if not line.get("done"):
        return Chunk(text, thinking, tokens=tokens) if text or thinking else None
    # Before 0.1.33 there was no done_reason: done was all it said.
    finish = _text(line.get("done_reason")) or "stop"
    usage = Usage(as_count(line.get("prompt_eval_count")), as_count(line.get("eval_count")))
    return Chunk(text, thinking, finish, usage, tokens)


def _digest(tag: Mapping[str, Any]) -> str:
    return _text(tag.get("digest"))


def _is_remote(described: Mapping[str, Any]) -> bool:
    return bool(described.get("remote_host") or described.get("remote_model"))


def _only_embeds(tag: Mapping[str, Any]) -> bool:
    """Tell by the architecture, since `/api/tags` does not tell what a model can do."""
    details = tag.get("details")
    family = details.get("family") if isinstance(details, dict) else None
    return "bert" in _text(family).lower()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
