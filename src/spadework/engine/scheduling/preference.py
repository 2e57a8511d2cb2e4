"""Turns a tool's ordered list of models into the groups that the scheduler chooses from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.engine.scheduling.slot_requests import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def preference_groups(
    model_ids: Iterable[str], trust: Mapping[str, str]
) -> tuple[tuple[Model, ...], ...]:
    """Put the same model on several backends into one tier, at the place of the first.

    Args:
        model_ids: `backend/model`, best first.
        trust: how far each model is trusted; a local and a cloud one are never equally good.
    """
    tiers: dict[tuple[str, str], list[Model]] = {}
    for model_id in model_ids:
        model = Model.of(model_id)
        tiers.setdefault((model.name, trust[model_id]), []).append(model)
    return tuple(map(tuple, tiers.values()))
