"""Lists configured models of unknown trust, for `config check` and `doctor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from spadework.errors import BackendError
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.base import Backend, ModelInfo

_SECONDS = 4.0
_MOST_NAMED = 5


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
