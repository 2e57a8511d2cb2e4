"""What the shell offers behind an option: names from the config, no server asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeyman.engine.tools import Tool


def tool_names(incomplete: str) -> list[str]:
    """Offer the user's tools and the project's."""
    return [name for name in _tools() if name.startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """Offer the models that the tools name."""
    named = [model for tool in _tools().values() for model in tool.config.models]
    return [name for name in dict.fromkeys(named) if name.startswith(incomplete)]


def outcomes(incomplete: str) -> list[str]:
    """Offer the words of the ledger."""
    from journeyman.ledger import OUTCOMES  # noqa: PLC0415 - sqlite3

    return [word for word in OUTCOMES if word.startswith(incomplete)]


def _tools() -> dict[str, Tool]:
    """A wrong config, or no folder, offers nothing: the command itself will say what is wrong."""
    from journeyman.config.load import load_config  # noqa: PLC0415 - heavy
    from journeyman.engine.tools import project_tools, user_tools  # noqa: PLC0415 - heavy
    from journeyman.errors import JourneymanError  # noqa: PLC0415 - beside its use

    try:
        config = load_config().config
        return user_tools(config) | project_tools(Path.cwd(), config)
    except (JourneymanError, OSError):
        return {}
