"""Selects the models that may answer a job, in order of preference."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.backends.base import ModelInfo
from spadework.config.models import EMBEDDED
from spadework.engine.job import Attempt
from spadework.errors import BackendError, BadReply, SpadeworkError
from spadework.util.untrusted_text import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from spadework.backends.base import Backend
    from spadework.engine.model_catalog import Catalog
    from spadework.engine.trust_policy import TrustPolicy

    ListOf = Callable[[str], Awaitable[list[ModelInfo]]]

log = logging.getLogger(__name__)

_MOST_NAMED = 3
"""Refused models of one backend that are named one by one; more become one line."""


def patterns_of(wanted: Sequence[str], backends: Collection[str]) -> tuple[str, ...]:
    """Return what to ask for: the tool's own list, or else everything that is configured.

    The embedded model is used only where no backend is configured: it is a demonstration.
    """
    if wanted:
        return tuple(wanted)
    configured = [name for name in backends if name != EMBEDDED]
    return tuple(f"{name}/*" for name in configured or [EMBEDDED])


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
) -> tuple[dict[str, ModelInfo | None], list[Attempt]]:
    """Expand patterns to `backend/model` names, in order, each once.

    A plain name is taken as it is: asking the backend for its list would cost a round trip.

    Args:
        patterns: what a tool asks for.
        names: the backends that may be asked.
        list_of: lists the models of a backend.

    Returns:
        The models by name, None for a plain name, and a try for each backend that could not list
        its models.
    """
    wanted = {one.partition("/")[0] for one in patterns if "*" in one}
    listed, failed = await list_models([name for name in names if name in wanted], list_of)
    found: dict[str, ModelInfo | None] = {}
    for pattern in patterns:
        if "*" not in pattern:
            found.setdefault(pattern, None)
            continue
        for model in listed:
            if model.is_meant_by([pattern]):
                _add(model, found)
    return found, failed


def _add(model: ModelInfo, found: dict[str, ModelInfo | None]) -> None:
    """Add a model, unless it is there already by another of its names."""
    if not any(one in found for one in model.ids):
        found[model.id] = model
    elif model.id in found:
        found[model.id] = found[model.id] or model


def worth_listing(trust_policy: TrustPolicy, catalog: Catalog) -> list[str]:
    """Name the backends that may have a model for a job; a cloud is not even asked for its list."""
    return [
        name
        for name, backend in catalog.backends.items()
        if trust_policy.may_leave(name) or not backend.presumed("*")
    ]


async def split_by_trust(
    found: Mapping[str, ModelInfo | None], trust_policy: TrustPolicy, catalog: Catalog
) -> tuple[list[str], list[tuple[str, SpadeworkError]]]:
    """Split models into those that may have a job, in order, and those that may not.

    Args:
        found: the models by name; one without a description is described if that matters.
        trust_policy: decides.
        catalog: describes.

    Returns:
        The names of the former; of the latter, for each name or for each backend with many of
        them, the reason: a refusal, or why the model could not be described.

    Raises:
        ConfigError: a model's backend is not configured.
    """
    described: dict[str, ModelInfo | SpadeworkError | None] = dict(found)
    asked = []
    for name, info in found.items():
        backend, model = catalog.find(name)
        if info or trust_policy.needs_no_trust(name):
            continue
        if certain := backend.presumed(model):
            described[name] = ModelInfo(
                backend.name,
                model,
                trust=certain.trust,
                trust_source=certain.source,
                aliases=_listed_as(backend, model, trust_policy),
            )
        else:
            asked.append(name)
    answers = await asyncio.gather(*map(catalog.describe, asked), return_exceptions=True)
    for name, answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, BackendError):
            raise answer
        described[name] = answer
    allowed: list[str] = []
    errors: list[tuple[str, SpadeworkError]] = []
    refused: dict[str, list[ModelInfo]] = {}
    for name, known in described.items():
        if isinstance(known, SpadeworkError):
            errors.append((name, known))
        elif known is None or not trust_policy.refusal(known):
            allowed += [] if _is_among(name, allowed, catalog) else [name]
        else:
            refused.setdefault(known.backend, []).append(known)
    return allowed, [*errors, *_refusals(refused, trust_policy)]


def _listed_as(backend: Backend, model: str, trust_policy: TrustPolicy) -> tuple[str, ...]:
    """Name the other names by which the tool lists a model, as far as no server need be asked."""
    full = backend.full_name(model)
    listed = (pattern.partition("/") for pattern in trust_policy.listed)
    return tuple(
        other
        for name, _, other in listed
        if name == backend.name and other != model and backend.full_name(other) == full
    )


def _is_among(name: str, others: Sequence[str], catalog: Catalog) -> bool:
    """Tell whether one of these is the same model, by whichever name."""
    backend, model = catalog.find(name)
    full = backend.full_name(model)
    same = (catalog.find(other) for other in others)
    return any(one is backend and one.full_name(called) == full for one, called in same)


def _refusals(
    refused: Mapping[str, list[ModelInfo]], trust_policy: TrustPolicy
) -> list[tuple[str, SpadeworkError]]:
    reasons: list[tuple[str, SpadeworkError]] = []
    for backend, infos in refused.items():
        if len(infos) > _MOST_NAMED:
            together = trust_policy.passed_over(infos)
            reasons += [(backend, together)] if together else []
            continue
        reasons += [(info.id, why) for info in infos if (why := trust_policy.refusal(info))]
    return reasons


async def list_models(
    names: Collection[str], list_of: ListOf
) -> tuple[list[ModelInfo], list[Attempt]]:
    """Ask several backends at once for their models; a dead one does not hide the others."""
    results = await asyncio.gather(*map(list_of, names), return_exceptions=True)
    models: list[ModelInfo] = []
    failed: list[Attempt] = []
    for name, result in zip(names, results, strict=True):
        if isinstance(result, BackendError):
            attempt = Attempt.failed(name, result, temporary=result.is_temporary)
            hint = f" ({result.hint})" if result.hint else ""
            failed.append(replace(attempt, message=f"{result}{hint}"))
        elif isinstance(result, Exception):  # whatever it is, the other backends can answer
            log.error("the list of %s cannot be understood", name, exc_info=result)
            failed.append(Attempt(name, BadReply.code, "its list of models cannot be understood"))
        elif isinstance(result, BaseException):
            raise result
        else:
            models += result
    return models, failed
