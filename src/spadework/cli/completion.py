"""What the shell offers behind an option: names from the config, and what a daemon lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadework.engine.tools import Tool

_SECONDS = 1.0


def tool_names(incomplete: str) -> list[str]:
    """Offer the user's tools and the project's."""
    return [name for name in _tools() if name.startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """Offer the models that the tools name, and all that a running daemon lists, aliases too."""
    named = [model for tool in _tools().values() for model in tool.config.models]
    return [name for name in dict.fromkeys([*named, *_listed()]) if name.startswith(incomplete)]


def outcomes(incomplete: str) -> list[str]:
    """Offer the words of the ledger."""
    from spadework.storage.ledger import OUTCOMES  # noqa: PLC0415 - sqlite3

    return [word for word in OUTCOMES if word.startswith(incomplete)]


def _listed() -> list[str]:
    """Ask the daemon, if one runs: no server is waited for otherwise, nor for long."""
    import asyncio  # noqa: PLC0415 - heavy

    from spadework.config.loader import load_config  # noqa: PLC0415 - heavy
    from spadework.errors import SpadeworkError  # noqa: PLC0415 - beside its use
    from spadework.remote.remote_engine import RemoteEngine  # noqa: PLC0415 - heavy

    async def survey() -> list[str]:
        async with (
            asyncio.timeout(_SECONDS),
            RemoteEngine(load_config().config, daemon=True) as one,
        ):
            found = await one.survey({})
        return [name for model in found.models if not model.route for name in model.ids]

    try:
        return asyncio.run(survey())
    except (SpadeworkError, OSError, TimeoutError):
        return []


def _tools() -> dict[str, Tool]:
    """A wrong config, or no folder, offers nothing: the command itself will say what is wrong."""
    from spadework.config.loader import load_config  # noqa: PLC0415 - heavy
    from spadework.engine.tools import project_tools, user_tools  # noqa: PLC0415 - heavy
    from spadework.errors import SpadeworkError  # noqa: PLC0415 - beside its use

    try:
        config = load_config().config
        return user_tools(config) | project_tools(Path.cwd(), config)
    except (SpadeworkError, OSError):
        return {}
