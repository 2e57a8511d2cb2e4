"""Asks the servers that were found for their models' windows, where that costs nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from journeyman.backends.base import BackendSettings
from journeyman.backends.registry import KINDS
from journeyman.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from journeyman.backends.base import Backend
    from journeyman.config.proposals import Server

_SECONDS = 3.0
_MOST_MODELS = 12


async def with_windows(servers: Sequence[Server], keys: Mapping[str, str]) -> list[Server]:
    """Add what each server tells of its chat models' windows; no model is loaded for it.

    Args:
        servers: what was found.
        keys: the keys that may be sent, by the server's name; without it, one that wants a key
            is not asked.
    """
    asked = [_with_windows(server, keys.get(server.name, "")) for server in servers]
    return list(await asyncio.gather(*asked))


async def _with_windows(server: Server, key: str) -> Server:
    if server.found.needs_key and not key:
        return server
    settings = BackendSettings(server.name, server.found.url, key or None, connect_timeout=_SECONDS)
    backend = KINDS[server.found.kind](settings)
    try:
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.gather(
                *(_window(backend, model) for model in server.chat_models[:_MOST_MODELS])
            )
    except TimeoutError:
        return server
    finally:
        await backend.close()
    return replace(server, windows={model: window for model, window in found if window})


async def _window(backend: Backend, model: str) -> tuple[str, int | None]:
    try:
        return model, (await backend.describe(model)).window
    except BackendError:
        return model, None
