"""Spadework hands bounded work to models on your own machines.

    import spadework
    answer = spadework.ask("What does this do?", files=["src/app.py"])

    async with spadework.Spadework() as j:
        answer = await j.ask("Summarize.", files=["docs/"])

Importing this package costs nothing; the names below are loaded at first use.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # importing `typing` for it would take longer than all the rest of the shim

if TYPE_CHECKING:
    from spadework.api import Spadework, ask
    from spadework.engine.batch.table import Row, Table
    from spadework.engine.job import Answer, Figures
    from spadework.errors import (
        ArgumentError,
        BackendError,
        ConfigError,
        HandedBack,
        ReferenceRefused,
        SpadeworkError,
    )

_HOMES = {
    "Answer": "spadework.engine.job",
    "ArgumentError": "spadework.errors",
    "BackendError": "spadework.errors",
    "ConfigError": "spadework.errors",
    "Figures": "spadework.engine.job",
    "HandedBack": "spadework.errors",
    "Spadework": "spadework.api",
    "SpadeworkError": "spadework.errors",
    "ReferenceRefused": "spadework.errors",
    "Row": "spadework.engine.batch.table",
    "Table": "spadework.engine.batch.table",
    "ask": "spadework.api",
}

__all__ = [
    "Answer",
    "ArgumentError",
    "BackendError",
    "ConfigError",
    "Figures",
    "HandedBack",
    "ReferenceRefused",
    "Row",
    "Spadework",
    "SpadeworkError",
    "Table",
    "__version__",
    "ask",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'spadework' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when a name is used

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
