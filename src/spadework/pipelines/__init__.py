"""Batch work outside a session: local models do the bulk, Claude by your own key the reasoning.

    from spadework.pipelines import Item, ask, pipeline

    @pipeline
    async def describe(item: Item) -> str:
        answer = await ask("ask_local_llama", "What is this about?", files=item.files)
        return answer.text

Importing this package costs nothing; the names below are loaded at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadework.pipelines.calls import ask, claude, setting, step
    from spadework.pipelines.definition import Pipeline, pipeline
    from spadework.pipelines.items import Item, ItemResult, Reply

_HOMES = {
    "Item": "spadework.pipelines.items",
    "Pipeline": "spadework.pipelines.definition",
    "Reply": "spadework.pipelines.items",
    "ItemResult": "spadework.pipelines.items",
    "ask": "spadework.pipelines.calls",
    "claude": "spadework.pipelines.calls",
    "pipeline": "spadework.pipelines.definition",
    "setting": "spadework.pipelines.calls",
    "step": "spadework.pipelines.calls",
}

__all__ = [
    "Item",
    "ItemResult",
    "Pipeline",
    "Reply",
    "ask",
    "claude",
    "pipeline",
    "setting",
    "step",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'spadework.pipelines' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
