"""Where a LiteLLM proxy routes requests: by `litellm_params` of `/v1/model/info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spadework.backends.trust import (
    Evidence,
    host_of,
    is_local_host,
    of_address,
    of_cloud_tag,
    worst,
)
from spadework.util.untrusted_text import display_name, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spadework.backends.trust import Trust, TrustRules

SELF_HOSTED = frozenset(
    {
        "aiohttp_openai",
        "custom_openai",
        "docker_model_runner",
        "hosted_vllm",
        "infinity",
        "lemonade",
        "llamafile",
        "lm_studio",
        "ollama",
        "ollama_chat",
        "oobabooga",
        "openai",
        "openai_like",
        "text-completion-openai",
        "triton",
        "vllm",
        "xinference",
    }
)
"""Providers of LiteLLM that speak to whatever server `api_base` names."""
_OPENAI = frozenset({"openai", "text-completion-openai", "aiohttp_openai"})
_CHAINED = "litellm_proxy"
_LONGEST_ROUTE = 60  # characters

VERSION_HEADER = "x-litellm-version"
_FALLBACKS_HEADER = "x-litellm-attempted-fallbacks"
_ROUTE_HEADER = "x-litellm-model-name"
_BASE_HEADER = "x-litellm-model-api-base"
DEPLOYMENT_HEADER = "x-litellm-model-id"


def route_evidence(
    params: Mapping[str, Any], info: Mapping[str, Any], rules: TrustRules
) -> Evidence:
    """Judge one deployment.

    Args:
        params: its `litellm_params`.
        info: its `model_info`.
        rules: what the config says of hosts; not of the proxy's own host.
    """
    return worst([_own_route(params, info, rules), *_fallbacks(params, rules)])


def went_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell whether the proxy says that another model than the one asked for answered."""
    attempted = headers.get(_FALLBACKS_HEADER, "0").strip()
    return attempted not in {"", "0"}


def origin_of(headers: Mapping[str, str], rules: TrustRules) -> Evidence:
    """Judge the deployment that an answer came from, by the headers of the answer."""
    params = {"model": headers.get(_ROUTE_HEADER, ""), "api_base": headers.get(_BASE_HEADER, "")}
    return _own_route(params, {}, rules)


def _own_route(params: Mapping[str, Any], info: Mapping[str, Any], rules: TrustRules) -> Evidence:
    route = _text(params.get("model"))
    provider = _provider(params, info, route)
    named = [params[key] for key in ("base_url", "api_base") if params.get(key)]
    bases = [one for one in named if isinstance(one, str)]
    is_chained = provider == _CHAINED or params.get("use_litellm_proxy")
    if is_chained or len(bases) < len(named):
        what = "goes through another LiteLLM proxy" if is_chained else "its address is not a text"
        return Evidence("unknown", what)
    if provider in SELF_HOSTED:
        if params.get("litellm_credential_name"):
            return Evidence("unknown", "its address is in a credential that the proxy hides")
        found = [_self_hosted(provider, base, rules) for base in bases or [""]]
        return of_cloud_tag(route) or worst(found)
    if not provider:
        return Evidence("unknown", f"route {_shown(route)} names no provider")
    if bases and all(is_local_host(host_of(base), rules.local_hosts) for base in bases):
        return Evidence("unknown", f"route {_shown(route)} through a local address")
    return Evidence("cloud", f"route {_shown(route)}", firm=True)


def _self_hosted(provider: str, api_base: str, rules: TrustRules) -> Evidence:
    if api_base:
        found = of_address(api_base, rules)
        return Evidence(found.trust, f"route {provider}/, {found.source}", firm=found.firm)
    trust: Trust = "cloud" if provider in _OPENAI else "unknown"
    return Evidence(trust, f"route {provider}/ without api_base", firm=trust == "cloud")


def _provider(params: Mapping[str, Any], info: Mapping[str, Any], route: str) -> str:
    prefix, slash, _ = route.partition("/")
    return (
        _text(params.get("custom_llm_provider"))
        or (prefix if slash else "")
        or _text(info.get("litellm_provider"))
    ).lower()


def _fallbacks(params: Mapping[str, Any], rules: TrustRules) -> Iterator[Evidence]:
    """Judge what a deployment itself falls back to: no request can switch that off."""
    named = params.get("fallbacks")
    listed = list(named) if isinstance(named, list) else [named] if named else []
    other = params.get("context_window_fallback_dict")
    listed += list(other.values()) if isinstance(other, dict) else []
    for target in listed:
        inner = target if isinstance(target, dict) else {"model": _text(target)}
        found = _own_route(inner, {}, rules)
        name = _shown(_text(inner.get("model")))
        yield Evidence(found.trust, f"falls back to {name} ({found.source})", firm=found.firm)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _shown(route: str) -> str:
    return display_name(one_line(route, _LONGEST_ROUTE))
