"""Opens the backends that the config names, and asks all of them for their models."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from spadework.backends.base import BackendSettings
from spadework.backends.embedded import EmbeddedBackend
from spadework.backends.trust import TrustRules
from spadework.config.api_keys import key_hint, resolve_key
from spadework.config.backend_kinds import KINDS
from spadework.config.models import EMBEDDED
from spadework.errors import BackendError
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.backend_traits import BackendTraits
    from spadework.backends.base import Backend, ModelInfo
    from spadework.config.backend_kinds import BackendKind
    from spadework.config.models import BackendConfig, Config


_SECONDS = 4.0
_MOST_NAMED = 5


class BackendClass(Protocol):
    """The class of a kind."""

    traits: BackendTraits

    def __call__(self, settings: BackendSettings, /) -> Backend:
        """Open a backend of this kind; nothing connects yet."""


def backend_class(kind: BackendKind) -> BackendClass:
    """Import the class of a kind."""
    module, _, name = KINDS[kind].partition(":")
    return cast("BackendClass", getattr(import_module(module), name))


def all_kinds() -> dict[str, BackendTraits]:
    """Return the facts of every kind by its name; the kind that others are taken for comes last."""
    facts = {kind: backend_class(kind).traits for kind in KINDS}
    return dict(sorted(facts.items(), key=lambda one: one[1].signature is None))


def open_backends(
    config: Config, environ: Mapping[str, str], already: Mapping[str, Backend] | None = None
) -> dict[str, Backend]:
    """Open every backend of the config and the embedded engine, by name; nothing connects yet.

    Args:
        config: names them.
        environ: holds their keys.
        already: the backends that are open; those that would be opened alike are kept.

    Raises:
        ConfigError: a key's file cannot be read, or holds no key.
    """
    backends: dict[str, Backend] = {EMBEDDED: EmbeddedBackend(config.embedded)}
    for name, backend in config.backends.items():
        backends[name] = open_backend(name, backend, environ, config)
    for name, old in (already or {}).items():
        if name in backends and backends[name].is_like(old):
            backends[name] = old
    return {name: backends[name] for name in (*config.backends, EMBEDDED)}


def open_backend(
    name: str, config: BackendConfig, environ: Mapping[str, str], whole: Config | None = None
) -> Backend:
    """Open one backend: its class by `kind`, its key from `environ` or its file.

    Args:
        name: its name.
        config: its own section of the config.
        environ: holds its key.
        whole: the config, for what it says of local and cloud models; None: it says nothing.

    Raises:
        ConfigError: the key's file cannot be read, or holds no key.
    """
    settings = BackendSettings(
        name=name,
        url=config.url,
        own_key=resolve_key(config, environ),
        key_env=config.api_key_env,
        key_hint=key_hint(name, config),
        rules=trust_rules(config, whole),
        connect_timeout=config.connect_timeout,
        first_token_timeout=config.first_token_timeout,
        idle_timeout=config.idle_timeout,
        windows=dict(config.windows),
    )
    return backend_class(config.kind)(settings)


def trust_rules(config: BackendConfig, whole: Config | None) -> TrustRules:
    """Gather what the config says of the trust of a backend's models."""
    if whole is None:
        return TrustRules(config.trust)
    return TrustRules(
        config.trust,
        tuple(whole.local_hosts),
        tuple(whole.local_models),
        tuple(whole.cloud_models),
    )


async def list_quickly(backends: Mapping[str, Backend]) -> dict[str, list[ModelInfo] | None]:
    """List the models of every backend at once; None for one that does not answer in time."""

    async def listed(backend: Backend) -> list[ModelInfo] | None:
        try:
            async with asyncio.timeout(_SECONDS):
                return await backend.models()
        except (BackendError, TimeoutError):
            return None

    found = await asyncio.gather(*map(listed, backends.values()))
    return dict(zip(backends, found, strict=True))


def unknown_trust(infos: Iterable[ModelInfo]) -> tuple[str, str] | None:
    """Say which models are of unknown trust, and what to do; None if there are none.

    Returns:
        What was found, and the cure.
    """
    unknown = [info for info in infos if info.trust == "unknown"]
    if not unknown:
        return None
    names = ", ".join(display_name(info.name) for info in unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    sources = ", ".join(dict.fromkeys(info.trust_source for info in unknown))
    what = f"models of unknown trust: {names}{more} ({sources})"
    cure = (
        "they get nothing private, and answer only where a tool lists them; "
        f'say local_models = ["{unknown[0].id}"] or cloud_models = ["…"] in the config'
    )
    return what, cure
