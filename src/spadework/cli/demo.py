"""`spadework demo`: the main job, shown on real files with a real model."""

from __future__ import annotations

import typer

from spadework.cli.exit_codes import EXIT_FAILED


def demo() -> None:
    """Delegate three real jobs to the embedded model, through a real MCP client."""
    import asyncio  # noqa: PLC0415 - heavy

    from spadework.demo_jobs import run  # noqa: PLC0415 - heavy

    if not asyncio.run(run()):
        raise typer.Exit(EXIT_FAILED)
