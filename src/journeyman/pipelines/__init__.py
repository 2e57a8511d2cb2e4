"""Batch work outside a session: local models do the bulk, Claude by your own key the reasoning.

    from journeyman.pipelines import Item, ask, pipeline

    @pipeline
    async def describe(item: Item) -> str:
        answer = await ask("ask_local_llama", "What is this about?", files=item.files)
        return answer.text

Importing this package costs nothing; the names below are loaded at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeyman.pipelines.calls import ask, claude, setting, step
    from journeyman.pipelines.declaring import Pipeline, pipeline
    from journeyman.pipelines.values import Item, Reply, Row

_HOMES = {
    "Item": "journeyman.pipelines.values",
    "Pipeline": "journeyman.pipelines.declaring",
    "Reply": "journeyman.pipelines.values",
    "Row": "journeyman.pipelines.values",
    "ask": "journeyman.pipelines.calls",
    "claude": "journeyman.pipelines.calls",
    "pipeline": "journeyman.pipelines.declaring",
    "setting": "journeyman.pipelines.calls",
    "step": "journeyman.pipelines.calls",
}

__all__ = ["Item", "Pipeline", "Reply", "Row", "ask", "claude", "pipeline", "setting", "step"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'journeyman.pipelines' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when a name is used

    return getattr(import_module(_HOMES[name]), name)
