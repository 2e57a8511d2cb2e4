"""`spadework demo`: the main job, shown on real files with a real model."""

from __future__ import annotations

import typer

from spadework.cli.async_runner import run
from spadework.cli.exit_codes import EXIT_FAILED


def demo() -> None:
    """Delegate three real jobs to the embedded model, through a real MCP client."""
    from spadework.demo_jobs import run as run_jobs

    if not run(run_jobs()):
        raise typer.Exit(EXIT_FAILED)
