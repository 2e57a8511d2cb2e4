"""The protocol that every backend speaks, and the values that pass through it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from spadework.backends.trust import (
    Trust,
    TrustRules,
    host_of,
    is_local_host,
)
from spadework.config.api_keys import window_keys
from spadework.config.model_patterns import matches
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from spadework.backends.backend_traits import BackendTraits
    from spadework.backends.trust import Evidence

Role = Literal["system", "user", "assistant"]

_MOST_ALIASES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model on one backend.

    `window` is the context window in tokens that a request has for prompt and reply together,
    None where the backend does not tell it; `window_source` says where it was learnt.
    `loaded` is None where the backend does not tell it. `trust` says whether it runs on the
    user's own machines, `trust_source` where that was learned; the config has had its word.
    `aliases` are its other names on that backend. `route` is the kind of a name that leads to other
    models, such as "selector"; `failed` is how its last load failed, if it did.
    """

    backend: str
    name: str
    window: int | None = None
    window_source: str = ""
    loaded: bool | None = None
    note: str = ""
    trust: Trust = "unknown"
    trust_source: str = ""
    aliases: tuple[str, ...] = ()
    route: str = ""
    failed: str = ""

    @property
    def id(self) -> str:
        """The model as users write it: `backend/model`."""
        return f"{self.backend}/{self.name}"

    @property
    def ids(self) -> tuple[str, ...]:
        """All that it may be written as, its own id first."""
        return (self.id, *(f"{self.backend}/{alias}" for alias in self.aliases))

    def is_meant_by(self, patterns: Iterable[str]) -> bool:
        """Tell whether one of the patterns means this model, by whichever of its names.

        A name that only leads to other models is matched by its full name, never by a `*`.
        """
        if self.route:
            patterns = [pattern for pattern in patterns if "*" not in pattern]
        else:
            patterns = list(patterns)
        return any(matches(one, patterns) for one in self.ids)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of a list should know of it, in a few words each."""
        # That smollm2 is smollm2:latest goes without saying.
        others = [one for one in self.aliases if f"{one}:latest" != self.name]
        shown = [display_name(one) for one in others[:_MOST_ALIASES_SHOWN]]
        shown += ["…"] if len(others) > len(shown) else []
        remarks = [self.note] if self.note else []
        if self.route:
            article = "an" if self.route == "alias" else "a"
            remarks.append(f"{article} {self.route} of the server, not a model of its own")
        if shown:
            remarks.append(f"also called {', '.join(shown)}")
        if self.failed:
            remarks.append(f"failed last: {self.failed}")
        return tuple(remarks)


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a prompt takes; `exact` only if the model's own tokenizer counted."""

    tokens: int
    exact: bool
    source: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked of a model.

    `max_tokens` limits the reply, thinking included. `schema` is a JSON Schema that the reply
    must follow; backends constrain the decoding where they can, the caller validates always.
    `alternatives` is how many of the most probable tokens to report at each position; servers that
    cannot do that report none. With `local_only` an answer of a model that is not local is an
    error: a proxy may pass a request on.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    alternatives: int = 0
    local_only: bool = False


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """One token of a reply, in UTF-8, of which it may be a part of a sign only.

    `logprob` is the natural logarithm of its probability; `others` are the most probable tokens in
    its place with theirs, itself among them.
    """

    text: bytes
    logprob: float
    others: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a streamed reply.

    `thinking` holds what the server itself marked as reasoning. The piece that carries
    `finish` ("stop", "length", or the server's own word) is the last one with text;
    `usage` may come with it or after it. `tokens` are those of the piece, if they were asked for.
    """

    text: str = ""
    thinking: str = ""
    finish: str | None = None
    usage: Usage | None = None
    tokens: tuple[TokenChoice, ...] = ()


@dataclass(frozen=True, slots=True)
class DiscoveredCapacity:
    """What a server tells of its capacity; None where it does not say.

    `slots` is how many requests it works on at once, `exclusive` whether it holds one model at a
    time. `models` is what single models take at once, by name, as far as they are loaded; None for
    one that does not tell.
    """

    slots: int | None = None
    exclusive: bool | None = None
    models: Mapping[str, int | None] = field(default_factory=dict)


class Backend(Protocol):
    """A server that runs models. One instance per configured backend, used by many tasks.

    Every method raises only errors of the `BackendError` tree.
    """

    name: str
    kind: str
    traits: BackendTraits
    """What is known of its kind before it is asked."""
    first_token_timeout: float
    """Seconds to wait for the first token."""
    idle_timeout: float
    """Seconds to wait between tokens."""
    windows_change: bool
    """Whether other clients of the server may change a model's window at any time."""
    unusable_names: int
    """How many names the last list of models had that cannot be used: see `is_usable_name`."""

    async def models(self) -> list[ModelInfo]:
        """List every chat model that the backend has now, in the backend's order."""
        ...

    async def describe(self, model: str) -> ModelInfo:
        """Describe one model, its true window and its trust above all. Never loads a model."""
        ...

    async def refreshed(self, info: ModelInfo) -> ModelInfo:
        """Correct a description's window and state, where `windows_change`; else return it."""
        ...

    async def count_tokens(self, model: str, messages: tuple[Message, ...]) -> TokenCount:
        """Count the prompt's tokens: the model's own tokenizer if offered, else an estimate.

        May load the model, so it is called only when that model is about to be used.
        """
        ...

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Stream a reply. Closing the generator stops the model.

        Raises `CutStream` if the stream ends without a finish.
        """
        ...

    async def probe(self) -> None:
        """Look for a sign of life: any answer is one. Cheap, and never loads a model.

        Raises:
            Unreachable: nothing answers.
            BackendError: something answers, but it does not speak HTTP, or it falls silent.
        """
        ...

    async def loaded(self) -> frozenset[str] | None:
        """Name the models that are in memory or on their way there; None if it does not tell.

        Cheap, and never loads a model. Names are as `full_name` has them.
        """
        ...

    async def learn_capacity(self) -> DiscoveredCapacity:
        """Ask for what the server tells of its capacity: one cheap request that loads nothing.

        An error means that nothing is learnt yet; the caller remembers what is.
        """
        ...

    def presumed(self, model: str) -> Evidence | None:
        """Say of a model, or of all ("*"), that it is not local where that needs no asking."""
        ...

    def full_name(self, model: str) -> str:
        """Return the one name of a model that has several: Ollama's `llama3` is `llama3:latest`.

        An alias that a server lists is known once its list has been asked for.
        """
        ...

    def is_like(self, other: Backend) -> bool:
        """Tell whether another one is of the same kind and was opened with the same settings."""
        ...

    async def close(self) -> None:
        """Release connections and child processes."""
        ...


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """What a backend needs to know of the config, already resolved.

    `own_key` is the key of this process; a window may have another one in its own environment
    under the name `key_env`.
    """

    name: str
    url: str
    own_key: str | None = field(default=None, repr=False)
    key_env: str | None = None
    key_hint: str = ""
    rules: TrustRules = field(default_factory=TrustRules)
    connect_timeout: float = 3.0
    first_token_timeout: float = 300.0
    idle_timeout: float = 300.0
    windows: Mapping[str, int] = field(default_factory=dict)

    @property
    def api_key(self) -> str | None:
        """The key for the work of this task: the window's, else our own. Ask anew for each use."""
        given = window_keys.get().get(self.key_env) if self.key_env else None
        return given or self.own_key

    @property
    def is_near(self) -> bool:
        """Whether the server is one of the user's machines: no proxy of the environment is used."""
        return is_local_host(host_of(self.url), self.rules.local_hosts)

    def with_window(self, info: ModelInfo) -> ModelInfo:
        """Return a model with the window that the config gives it; that overrides the server's."""
        window = self.windows.get(info.name)
        return replace(info, window=window, window_source="config") if window else info
