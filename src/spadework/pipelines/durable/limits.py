"""Limits on concurrent calls for each backend, across all workers."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from spadework.backends.registry import open_backends
from spadework.config.models import EMBEDDED
from spadework.engine.discovered_capacity import Capacities
from spadework.errors import BackendError

if TYPE_CHECKING:
    from spadework.config.models import Config

_ASKING_SECONDS = 5.0


async def slots_of_backends(config: Config) -> dict[str, int]:
    """Find out each backend's slots: the config's word, else the server's own, else the kind's.

    Raises:
        ConfigError: a key's file cannot be read.
    """
    backends = open_backends(config, os.environ)
    capacities = Capacities(config, backends)

    async def ask(name: str) -> None:
        with suppress(BackendError, TimeoutError):
            async with asyncio.timeout(_ASKING_SECONDS):
                await capacities.ask(name)

    try:
        await asyncio.gather(*(ask(name) for name in config.backends))
        found = {name: capacities.of(name) for name in (*config.backends, EMBEDDED)}
    finally:
        for backend in backends.values():
            await backend.close()
    return {
        name: one.slots if one.exclusive else one.per_model or one.slots
        for name, one in found.items()
    }
