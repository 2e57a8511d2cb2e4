"""`journeyman demo`: the main job, shown on real files with a real model."""

from __future__ import annotations

import asyncio


def demo() -> None:
    """Delegate three real jobs to the embedded model, through a real MCP client."""
    from journeyman.demo import run  # noqa: PLC0415 - heavy

    asyncio.run(run())
