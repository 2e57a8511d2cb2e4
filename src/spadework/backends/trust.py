"""Whether a model runs on the user's own machines, and the source of that knowledge.

A backend collects evidence; the config has the last word. Who may be sent what is decided in
`engine/trust_policy.py`, by the trust that is found here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from spadework.config.local_hosts import host_of, is_local_host
from spadework.config.model_patterns import matches

if TYPE_CHECKING:
    from collections.abc import Iterable

Trust = Literal["local", "cloud", "unknown"]

_ORDER: tuple[Trust, ...] = ("local", "unknown", "cloud")
_CLOUD_TAG = re.compile(r"[:-]cloud$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was learned of one model.

    `source` says where, in a few words. Firm evidence is not overruled by a pattern of
    `local_models`, only by the model's full name there.
    """

    trust: Trust
    source: str
    firm: bool = False


@dataclass(frozen=True, slots=True)
class TrustRules:
    """What the config says: `trust` of the backend, and the lists of hosts and models."""

    backend: Literal["local", "cloud"] | None = None
    local_hosts: tuple[str, ...] = ()
    local_models: tuple[str, ...] = ()
    cloud_models: tuple[str, ...] = ()


def worst(evidence: Iterable[Evidence]) -> Evidence:
    """Return the least trusted of several: a request may go to any of them."""
    return max(evidence, key=lambda one: (_ORDER.index(one.trust), one.firm))


def decide(model_id: str, evidence: Evidence, rules: TrustRules) -> Evidence:
    """Let the config have the last word.

    Args:
        model_id: `backend/model`.
        evidence: what the backend learned of the model.
        rules: what the config says.
    """
    is_tagged = ":" in model_id.rpartition("/")[2]
    names = {model_id, model_id.removesuffix(":latest")}
    names |= set() if is_tagged else {f"{model_id}:latest"}
    folded = {one.lower() for one in (*names, model_id.partition("/")[2])}
    clouds = [pattern.lower() for pattern in rules.cloud_models]
    if any(matches(name, clouds) for name in folded):
        return Evidence("cloud", "cloud_models in the config", firm=True)
    if names & set(rules.local_models):
        return Evidence("local", "local_models in the config")
    if rules.backend == "cloud":
        return Evidence("cloud", 'trust = "cloud" of the backend', firm=True)
    if not evidence.firm and any(matches(name, rules.local_models) for name in names):
        return Evidence("local", "local_models in the config")
    return evidence


def of_address(url: str, rules: TrustRules) -> Evidence:
    """Judge an address by its host."""
    host = host_of(url)
    if rules.backend == "local":
        return Evidence("local", 'trust = "local" of the backend')
    if is_local_host(host, rules.local_hosts):
        return Evidence("local", f"local host {host}")
    if not host:
        return Evidence("unknown", "address without a host")
    return Evidence("cloud", f"public host {host}", firm=True)


def presume(model_id: str, url: str, rules: TrustRules) -> Evidence | None:
    """Say what is certain of a model without asking its server: that it is not local.

    Args:
        model_id: `backend/model`; `backend/*` means every model of the backend.
        url: the server's address.
        rules: what the config says.

    Returns:
        None where the server has to be asked.
    """
    near = of_address(url, rules)
    backend, _, model = model_id.partition("/")
    if model == "*" and any(one.startswith((f"{backend}/", "*")) for one in rules.local_models):
        return None
    tagged = of_cloud_tag(model)
    found = decide(model_id, worst([near, tagged]) if tagged else near, rules)
    return None if found.trust == "local" else found


def of_cloud_tag(model: str) -> Evidence | None:
    """Recognize Ollama's cloud models by their tags: `gpt-oss:120b-cloud`."""
    if _CLOUD_TAG.search(model):
        return Evidence("cloud", "cloud tag of Ollama", firm=True)
    return None
