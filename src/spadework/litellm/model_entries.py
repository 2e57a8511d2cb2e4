"""One entry of LiteLLM's `model_list`, and when two entries mean the same model of one server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from spadework.backends.http_clients import root_url
from spadework.util.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = "os.environ/"
"""Before a variable's name it makes LiteLLM read a value from its own environment."""

OLLAMA_CHAT_ROUTE = "ollama_chat/"
OPENAI_ROUTE = "openai/"
NO_KEY = "none"
"""The `api_key` for a server that wants none: without one LiteLLM would send it OPENAI_API_KEY."""

_OLLAMA_PROVIDERS = frozenset({"ollama", "ollama_chat"})
_OPENAI_PROVIDERS = frozenset(
    {"openai", "custom_openai", "openai_like", "hosted_vllm", "lm_studio", "llamafile"}
)
_OLLAMA_DEFAULT = "http://localhost:11434"
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Served:
    """A model of a server, whatever the name and the route: two entries with the same are one."""

    model: str
    base: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the proxy needs to offer one chat model.

    `route` is LiteLLM's name of it, such as `ollama_chat/smollm2:latest`. `window` is in tokens,
    None where the server does not tell it, and `window_source` says where it was learnt.
    `key_variable` names the proxy's environment variable that holds the server's key.
    """

    name: str
    route: str
    api_base: str
    server: str
    window: int | None = None
    window_source: str = ""
    key_variable: str | None = None

    @property
    def is_ollama(self) -> bool:
        """Whether Ollama serves it."""
        return self.route.startswith(OLLAMA_CHAT_ROUTE)

    @property
    def served(self) -> Served:
        """The model of the server."""
        found = served(self.route, self.api_base)
        assert found is not None  # noqa: S101 - both routes that we write are known
        return found

    def as_data(self) -> dict[str, Any]:
        """Return it as written in `model_list`, keys in order."""
        params: dict[str, Any] = {"model": self.route, "api_base": self.api_base}
        if self.key_variable:
            params["api_key"] = ENVIRONMENT + self.key_variable
        elif not self.is_ollama:
            params["api_key"] = NO_KEY
        info: dict[str, Any] = {"mode": "chat"}
        if self.window:
            # Without num_ctx Ollama chooses the window by its graphics memory, and cuts silently.
            params |= {"num_ctx": self.window} if self.is_ollama else {}
            info["max_input_tokens"] = self.window
        return {"model_name": self.name, "litellm_params": params, "model_info": info}


def offered_name(model: str) -> str:
    """Return the `model_name` of a model: its own name, without Ollama's `:latest`."""
    return model.removesuffix(":latest") or model


def served(
    route: str, api_base: str | None, environ: Mapping[str, str] | None = None
) -> Served | None:
    """Say which model of which server an entry means; None for clouds and what is not known.

    Args:
        route: LiteLLM's name of the model, its provider first.
        api_base: the server's address; a reference to the environment is looked up there.
        environ: the environment.
    """
    provider, _, model = route.partition("/")
    if api_base and api_base.startswith(ENVIRONMENT):
        api_base = (environ or {}).get(api_base.removeprefix(ENVIRONMENT))
    if provider in _OLLAMA_PROVIDERS and model:
        return Served(offered_name(model), normal_base(api_base or _OLLAMA_DEFAULT))
    if provider in _OPENAI_PROVIDERS and model and api_base:
        return Served(offered_name(model), normal_base(api_base))
    return None


def is_ollama_route(route: str) -> bool:
    """Tell whether a route speaks Ollama's own API."""
    return route.partition("/")[0] in _OLLAMA_PROVIDERS


def ollama_route_finding(name: str) -> Finding:
    """Say what is wrong with the old route to Ollama."""
    what = "the ollama/ route reports an answer that was cut off as complete"
    return Finding("warning", "route", name, what, "write ollama_chat/ in place of ollama/")


def normal_base(url: str) -> str:
    """Return an address so that two spellings of one server are alike: names of this machine too.

    Anything but an address is returned unchanged.
    """
    root = root_url(re.sub(r"/api(/(chat|generate))?/?$", "", url.strip()))
    try:
        parts = urlsplit(root)
        host, port = (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return root
    if not host:
        return root
    host = "this machine" if host in _HERE else host
    return f"{parts.scheme.lower()}://{host}:{port}{parts.path}"


def is_here(url: str) -> bool:
    """Tell whether an address means this machine and is another one elsewhere."""
    try:
        return (urlsplit(url).hostname or "").lower() in _HERE
    except ValueError:
        return False
