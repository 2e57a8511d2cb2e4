"""Which models may answer a job, in order."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from journeyman.config.models import EMBEDDED
from journeyman.engine.values import Try
from journeyman.errors import BackendError
from journeyman.text.foreign import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from journeyman.backends.base import Backend, ModelInfo

    ListOf = Callable[[str], Awaitable[list[ModelInfo]]]


def patterns_of(wanted: Sequence[str], backends: Collection[str]) -> tuple[str, ...]:
    """Return what to ask for: the tool's own list, or else everything that is configured.

    The embedded model stands in only where no backend is configured: it is a demonstration.
    """
    if wanted:
        return tuple(wanted)
    configured = [name for name in backends if name != EMBEDDED]
    return tuple(f"{name}/*" for name in configured or [EMBEDDED])


def matches(model_id: str, patterns: Sequence[str]) -> bool:
    """Tell whether a tool's list means this model; * stands for anything, nothing else does."""
    return any(re.fullmatch(_as_regex(pattern), model_id) for pattern in patterns)


def _as_regex(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))


def unusable(backend: Backend) -> str:
    """Say how many names a backend's last list had that cannot be used; empty if none."""
    count = backend.unusable_names
    if not count:
        return ""
    names = "1 model name is" if count == 1 else f"{count} model names are"
    return (
        f"{names} left out: empty, longer than {LONGEST_NAME} characters, or with characters that "
        "do not show"
    )


async def candidates(
    patterns: Sequence[str], names: Collection[str], list_of: ListOf
) -> tuple[list[str], list[Try]]:
    """Expand patterns to `backend/model` names, in order, each once.

    A plain name is taken as it is: asking the backend for its list would cost a round trip.

    Args:
        patterns: what a tool asks for.
        names: the backends that may be asked.
        list_of: lists the models of a backend.

    Returns:
        The names, and a try for each backend that could not list its models.
    """
    wanted = {one.partition("/")[0] for one in patterns if "*" in one}
    listed, failed = await list_models([name for name in names if name in wanted], list_of)
    found: dict[str, None] = {}
    for pattern in patterns:
        if "*" not in pattern:
            found[pattern] = None
            continue
        found.update(dict.fromkeys(model.id for model in listed if matches(model.id, [pattern])))
    return list(found), failed


async def list_models(names: Collection[str], list_of: ListOf) -> tuple[list[ModelInfo], list[Try]]:
    """Ask several backends at once for their models; a dead one does not hide the others."""
    results = await asyncio.gather(*map(list_of, names), return_exceptions=True)
    models: list[ModelInfo] = []
    failed: list[Try] = []
    for name, result in zip(names, results, strict=True):
        if isinstance(result, BackendError):
            hint = f" ({result.hint})" if result.hint else ""
            failed.append(Try(name, type(result).__name__, f"{result}{hint}"))
        elif isinstance(result, BaseException):
            raise result
        else:
            models += result
    return models, failed
