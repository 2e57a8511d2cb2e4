"""Which models may answer a job, in order."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from journeyman.config.models import EMBEDDED
from journeyman.engine.values import Try
from journeyman.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from journeyman.backends.base import Backend, ModelInfo


def patterns_of(wanted: Sequence[str], backends: Mapping[str, Backend]) -> tuple[str, ...]:
    """Return what to ask for: the tool's own list, or else everything that is configured.

    The embedded model stands in only where no backend is configured: it is a demonstration.
    """
    if wanted:
        return tuple(wanted)
    configured = [name for name in backends if name != EMBEDDED]
    return tuple(f"{name}/*" for name in configured or [EMBEDDED])


def matches(model_id: str, patterns: Sequence[str]) -> bool:
    """Tell whether a tool's list means this model."""
    return any(fnmatchcase(model_id, pattern) for pattern in patterns)


async def candidates(
    patterns: Sequence[str], backends: Mapping[str, Backend]
) -> tuple[list[str], list[Try]]:
    """Expand patterns to `backend/model` names, in order, each once.

    A plain name is taken as it is: asking the backend for its list would cost a round trip.

    Returns:
        The names, and a try for each backend that could not list its models.
    """
    backends_to_list = {
        name
        for pattern in patterns
        if "*" in pattern and (name := pattern.partition("/")[0]) in backends
    }
    listed, failed = await list_models({name: backends[name] for name in sorted(backends_to_list)})
    names: dict[str, None] = {}
    for pattern in patterns:
        if "*" not in pattern:
            names[pattern] = None
            continue
        names.update(dict.fromkeys(model.id for model in listed if fnmatchcase(model.id, pattern)))
    return list(names), failed


async def list_models(
    backends: Mapping[str, Backend],
) -> tuple[list[ModelInfo], list[Try]]:
    """Ask several backends at once for their models; a dead one does not hide the others."""
    results = await asyncio.gather(
        *(backend.models() for backend in backends.values()), return_exceptions=True
    )
    models: list[ModelInfo] = []
    failed: list[Try] = []
    for name, result in zip(backends, results, strict=True):
        if isinstance(result, BackendError):
            hint = f" ({result.hint})" if result.hint else ""
            failed.append(Try(name, type(result).__name__, f"{result}{hint}"))
        elif isinstance(result, BaseException):
            raise result
        else:
            models += result
    return models, failed
