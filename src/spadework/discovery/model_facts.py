"""Asks the servers that were found for the windows and the trust of their models."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.backends.base import BackendSettings
from spadework.backends.registry import backend_class
from spadework.discovery.model_ranking import ModelFact
from spadework.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.backends.base import Backend, ModelInfo
    from spadework.discovery.model_ranking import RankedServer

_SECONDS = 3.0
_MOST_DESCRIBED = 12


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
    found: dict[str, ModelFact] = {}
    try:
        async with asyncio.timeout(_SECONDS):
            found |= {info.name: _fact(info) for info in await backend.models()}
            named = replace(server, facts=found)
            for info in await asyncio.gather(
                *(_described(backend, model) for model in named.chat_models[:_MOST_DESCRIBED])
            ):
                if info:
                    found[info.name] = _fact(info)
    except (BackendError, TimeoutError):
        return replace(server, facts=found)
    finally:
        await backend.close()
    return replace(server, facts=found)


def _fact(info: ModelInfo) -> ModelFact:
    return ModelFact(info.window, info.trust, info.trust_source, info.route, info.failed)


async def _described(backend: Backend, model: str) -> ModelInfo | None:
    try:
        return await backend.describe(model)
    except BackendError:
        return None
