"""Journeyman hands bounded work to models on your own machines.

    import journeyman
    answer = journeyman.ask("What does this do?", files=["src/app.py"])

    async with journeyman.Journeyman() as j:
        answer = await j.ask("Summarize.", files=["docs/"])

Importing this package costs nothing; the names below are loaded at first use.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # importing `typing` for it would take longer than all the rest of the shim

if TYPE_CHECKING:
    from journeyman.api import Journeyman, ask
    from journeyman.engine.many.values import Row, Table
    from journeyman.engine.values import Answer, Figures
    from journeyman.errors import (
        ArgumentError,
        BackendError,
        ConfigError,
        HandedBack,
        JourneymanError,
        ReferenceRefused,
    )

_HOMES = {
    "Answer": "journeyman.engine.values",
    "ArgumentError": "journeyman.errors",
    "BackendError": "journeyman.errors",
    "ConfigError": "journeyman.errors",
    "Figures": "journeyman.engine.values",
    "HandedBack": "journeyman.errors",
    "Journeyman": "journeyman.api",
    "JourneymanError": "journeyman.errors",
    "ReferenceRefused": "journeyman.errors",
    "Row": "journeyman.engine.many.values",
    "Table": "journeyman.engine.many.values",
    "ask": "journeyman.api",
}

__all__ = [
    "Answer",
    "ArgumentError",
    "BackendError",
    "ConfigError",
    "Figures",
    "HandedBack",
    "Journeyman",
    "JourneymanError",
    "ReferenceRefused",
    "Row",
    "Table",
    "__version__",
    "ask",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'journeyman' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when a name is used

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
