"""Which of the models that were found serves which tool, and why: read off their names and windows.

A name tells whether a model is made for code, and often how large it is. Its server is asked for
its window and its trust, the model itself for nothing: the order is a proposal, the config file is
the user's.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spadework.backends.base import BackendSettings, ModelInfo
from spadework.backends.registry import backend_class
from spadework.backends.trust import host_of, is_local_host
from spadework.errors import BackendError
from spadework.util.untrusted_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spadework.backends.base import Backend
    from spadework.backends.trust import Trust
    from spadework.discovery.search import FoundServer

GENERAL_TOOL = "ask_local_llama"
CODING_TOOL = "ask_coding_model"

_CODING = re.compile(r"(?<!\ben)(?<!\bde)code|devstral", re.IGNORECASE)
_NO_CHAT = re.compile(
    r"embed(?!ded)|minilm|rerank|paraphrase|diffusion"
    r"|(?<![a-z])(bge|gte|e5|nomic|jina|clip|tts|whisper|flux|dall-e)(?![a-z])",
    re.IGNORECASE,
)
_CLOUD = re.compile(
    r"^(gpt-[345]|chatgpt|o[134](-|$)|claude|gemini|grok)|[:-]cloud$", re.IGNORECASE
)
_SIZE = re.compile(
    r"(?<![\w.])(?:(?P<experts>\d{1,2})x)?(?P<number>\d{1,4}(?:\.\d{1,3})?)(?P<unit>[bm])(?![a-z0-9])",
    re.IGNORECASE,
)
_LEAST_MILLIONS = 10  # "1m" is a context of a million tokens, not a size
_USUAL_SIZE = 7.0  # for the order alone, where a name does not tell
_SMALL = 2.0
_SMALL_WINDOW = 4096
_LONGEST_REASON = 120  # characters
_SECONDS = 3.0
_MOST_DESCRIBED = 12


@dataclass(frozen=True, slots=True)
class RankedServer:
    """A server that was found, under the name that it gets in the config.

    `facts` holds what it says of its models, by name.
    """

    name: str
    found: FoundServer
    facts: Mapping[str, ModelInfo] = field(default_factory=dict)

    @property
    def chat_models(self) -> list[str]:
        """Its local models without those for embeddings, speech and pictures."""
        return [
            model
            for model in self._models
            if self._fact(model).trust == "local" and not _NO_CHAT.search(model)
        ]

    @property
    def passed_over(self) -> list[ModelInfo]:
        """The models that are not proposed since they are not known to be local."""
        return [fact for fact in map(self._fact, self._models) if fact.trust != "local"]

    def window_of(self, model: str) -> int | None:
        """The context window of a model, if the server told it."""
        fact = self.facts.get(model)
        return fact.window if fact else None

    def failure_of(self, model: str) -> str:
        """How a model failed when it was last to be loaded; empty if it did not."""
        fact = self.facts.get(model)
        return one_line(fact.failed, _LONGEST_REASON) if fact else ""

    @property
    def _models(self) -> list[str]:
        """The models that it lists, without names that lead to others, such as selectors."""
        return [model for model in self.found.models if not self._fact(model).route]

    def _fact(self, model: str) -> ModelInfo:
        """Return what is known of a model; by address and name where the server was not asked."""
        if fact := self.facts.get(model):
            return fact
        host = host_of(self.found.url)
        trust: Trust = "unknown"
        if not is_local_host(host):
            trust, source = "cloud", f"public host {host}"
        elif _CLOUD.search(model):
            source = "named like a cloud model"
        elif backend_class(self.found.kind).traits.is_proxy:
            source = "the proxy did not tell its route"
        else:
            trust, source = "local", f"local host {host}"
        return ModelInfo(self.name, model, trust=trust, trust_source=source)


async def with_facts(
    servers: Sequence[RankedServer], keys: Mapping[str, str]
) -> list[RankedServer]:
    """Add what each server says of its models; no model is loaded for it.

    Args:
        servers: what was found.
        keys: the keys that may be sent, by the server's name; without it, one that wants a key
            is not asked.
    """
    asked = [_with_facts(server, keys.get(server.name, "")) for server in servers]
    return list(await asyncio.gather(*asked))


async def _with_facts(server: RankedServer, key: str) -> RankedServer:
    if server.found.needs_key and not key:
        return server
    settings = BackendSettings(server.name, server.found.url, key or None, connect_timeout=_SECONDS)
    backend = backend_class(server.found.kind)(settings)
    found: dict[str, ModelInfo] = {}
    try:
        async with asyncio.timeout(_SECONDS):
            found |= {info.name: info for info in await backend.models()}
            named = replace(server, facts=found)
            for info in await asyncio.gather(
                *(_described(backend, model) for model in named.chat_models[:_MOST_DESCRIBED])
            ):
                if info:
                    found[info.name] = info
    except (BackendError, TimeoutError):
        return replace(server, facts=found)
    finally:
        await backend.close()
    return replace(server, facts=found)


async def _described(backend: Backend, model: str) -> ModelInfo | None:
    try:
        return await backend.describe(model)
    except BackendError:
        return None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A model for a tool, written `backend/model`, and the reason for its rank."""

    model: str
    why: str


def proposals(servers: Iterable[RankedServer]) -> dict[str, list[Proposal]]:
    """Propose which models serve which default tool, the best first.

    Large models come before small ones, then those with hardly any window, and last those that
    failed when they were last asked. Where a name does not tell a size, the order is the server's.
    """
    found = [(server, model) for server in servers for model in server.chat_models]
    found.sort(key=lambda one: _rank(*one))
    tools: dict[str, list[Proposal]] = {GENERAL_TOOL: [], CODING_TOOL: []}
    for server, model in found:
        tool = CODING_TOOL if _CODING.search(model) else GENERAL_TOOL
        tools[tool].append(Proposal(f"{server.name}/{model}", _why(server, model)))
    return tools


def billions(model: str) -> float | None:
    """Read the number of parameters off a model's name, in billions: 7.0 of `qwen2.5-coder:7b`.

    Of a mixture such as `mixtral-8x7b` the whole counts. None where the name does not tell.
    """
    for match in _SIZE.finditer(model):
        number = float(match["number"]) * int(match["experts"] or 1)
        if match["unit"].lower() == "b":
            return number
        if number >= _LEAST_MILLIONS:
            return number / 1000
    return None


def _rank(server: RankedServer, model: str) -> tuple[bool, bool, float]:
    window = server.window_of(model)
    narrow = window is not None and window < _SMALL_WINDOW
    return bool(server.failure_of(model)), narrow, -(billions(model) or _USUAL_SIZE)


def _why(server: RankedServer, model: str) -> str:
    size, window = billions(model), server.window_of(model)
    reasons = ["made for code, by its name"] if _CODING.search(model) else ["a general model"]
    if size is not None:
        shown = f"{size:g} billion" if size >= 1 else f"{size * 1000:g} million"
        reasons.append(f"{shown} parameters" + (", so it comes late" if size < _SMALL else ""))
    if window is not None:
        narrow = ", so it comes last" if window < _SMALL_WINDOW else ""
        reasons.append(f"a window of {window} tokens{narrow}")
    if failure := server.failure_of(model):
        reasons.append(f"it comes last, since it failed when it was last asked: {failure}")
    return "; ".join(reasons)
