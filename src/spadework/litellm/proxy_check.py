"""What works at a running LiteLLM proxy, and what does not.

Its `/health` is never asked: it really calls every model.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import httpx

from spadework.backends.base import ChatRequest, Message
from spadework.backends.http_clients import root_url
from spadework.backends.litellm import OLLAMA_ROUTE, LiteLLMBackend
from spadework.backends.registry import open_backend
from spadework.backends.trust import host_of, is_local_host
from spadework.config.api_keys import resolve_key
from spadework.config.models import BackendConfig
from spadework.errors import BackendError
from spadework.litellm.mcp_gateway import look_at_gateway
from spadework.litellm.model_entries import normal_base, ollama_route_finding
from spadework.util.finding import Finding
from spadework.util.http_client import async_client
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from spadework.backends.base import ModelInfo
    from spadework.config.models import Config

KEY_VARIABLES = ("LITELLM_API_KEY", "LITELLM_MASTER_KEY")

_NAME = "proxy"
_SECONDS = 20.0
_TOKENS = 16
_CHAT = (None, "chat", "completion", "responses")
_WINDOW_CURE = "write max_input_tokens under its model_info: `spadework litellm config` does"


def backend_for(url: str, config: Config, environ: Mapping[str, str]) -> BackendConfig:
    """Return the settings for a proxy: the config's, if it has a backend at that address.

    Args:
        url: the proxy's address.
        config: the user's config.
        environ: the environment, for the name of a variable that holds a key.
    """
    for backend in config.backends.values():
        if normal_base(backend.url) == normal_base(url) and backend.kind == "litellm":
            return backend
    variable = next((name for name in KEY_VARIABLES if environ.get(name)), KEY_VARIABLES[0])
    return BackendConfig(kind="litellm", url=url, api_key_env=variable)


async def check(
    settings: BackendConfig,
    environ: Mapping[str, str],
    *,
    ask: bool,
    tell: Callable[[str], None],
) -> list[Finding]:
    """Look a running proxy over; only `ask` makes it call models.

    Args:
        settings: the proxy's address and key.
        environ: holds the key.
        ask: ask every chat model for one short answer, one after another: it loads them.
        tell: reports progress.

    Raises:
        ConfigError: the key's file cannot be read, or holds no key.
    """
    backend = open_backend(_NAME, settings, environ)
    assert isinstance(backend, LiteLLMBackend)  # noqa: S101 - that is its kind
    try:
        dead = await _liveliness(settings)
        if dead:
            return [dead]
        found = [Finding("ok", "alive", "", "/health/liveliness answers")]
        try:
            models = await backend.models()
        except BackendError as error:
            cure = error.hint or "see the proxy's log"
            return [*found, Finding("error", "key", "", _said(error), cure)]
        found.append(Finding("ok", "key", "", f"accepted; {_count(len(models), 'model')} listed"))
        deployments = await backend.deployments()
        if models and not deployments:
            found.append(_no_information())
        for model in models:
            found += await _model(backend, model, deployments, ask=ask, tell=tell)
        found.append(await look_at_gateway(settings, resolve_key(settings, environ)))
        return found
    finally:
        await backend.close()


async def _liveliness(settings: BackendConfig) -> Finding | None:
    url = root_url(settings.url) + LiteLLMBackend.liveness_path
    timeout = httpx.Timeout(_SECONDS, connect=settings.connect_timeout)
    proxied = not is_local_host(host_of(url))
    async with async_client(httpx, trust_env=proxied, timeout=timeout) as client:
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await client.get(url)
        except TimeoutError:
            reason = f"no whole answer within {_SECONDS:g} s"
            return Finding("error", "alive", "", f"{url}: {reason}", "restart the proxy")
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            return Finding(
                "error", "alive", "", f"nothing answers at {url}: {reason}", "start the proxy"
            )
    if answer.status_code == httpx.codes.OK and "alive" in answer.text.lower():
        return None
    message = f"the server at {url} is not a LiteLLM proxy (HTTP {answer.status_code})"
    return Finding(
        "error", "alive", "", message, "give the address of the proxy, such as http://koala:4000"
    )


def _no_information() -> Finding:
    return Finding(
        "warning",
        "windows",
        "",
        "/v1/model/info tells nothing to this key",
        "use a key that may see it, or set windows under the backend in Spadework's config",
    )


async def _model(
    backend: LiteLLMBackend,
    model: ModelInfo,
    deployments: Iterable[dict[str, Any]],
    *,
    ask: bool,
    tell: Callable[[str], None],
) -> list[Finding]:
    """Judge one model: its windows and routes, and if it is asked, its answer."""
    own = [one for one in deployments if one.get("model_name") == model.name]
    infos = [one.get("model_info") or {} for one in own]
    if any(info.get("mode") not in _CHAT for info in infos):
        return [Finding("ok", "model", display_name(model.name), "does other work than chat")]
    found = []
    name = display_name(model.name)
    if any(
        str((one.get("litellm_params") or {}).get("model")).startswith(OLLAMA_ROUTE) for one in own
    ):
        found.append(ollama_route_finding(name))
    told = {info.get("max_input_tokens") for info in infos}
    windows = sorted(window for window in told if isinstance(window, int))
    if not model.window:
        found.append(Finding("warning", "window", name, "its window is not known", _WINDOW_CURE))
    elif len(windows) > 1:
        message = f"its servers have different windows {windows}: the smallest counts"
        found.append(
            Finding("warning", "window", name, message, "give the same window to all of them")
        )
    if ask:
        tell(f"asking {name} …")
        found += await _asked(backend, model.name)
    behind = f", {len(own)} servers behind it" if len(own) > 1 else ""
    return found or [Finding("ok", "model", name, f"window {model.window}{behind}")]


async def _asked(backend: LiteLLMBackend, model: str) -> list[Finding]:
    name = display_name(model)
    request = ChatRequest(model, (Message("user", "Say OK."),), max_tokens=_TOKENS)
    said = thought = ""
    try:
        async with aclosing(backend.chat(request)) as chunks:
            async for chunk in chunks:
                said, thought = said + chunk.text, thought + chunk.thinking
    except BackendError as error:
        return [Finding("error", "model", name, _said(error), error.hint or "see the proxy's log")]
    if not said and not thought:
        return [
            Finding(
                "error",
                "model",
                name,
                "its answer was empty",
                "see the log of the server behind it",
            )
        ]
    return [Finding("ok", "model", name, "answers")]


def _said(error: BackendError) -> str:
    return (
        str(error)
        .removeprefix(f"{_NAME}: ")
        .removeprefix(f"{display_name(f'{_NAME}/{error.model}')}: ")
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
