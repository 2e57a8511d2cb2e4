"""Waiting for what another process does, with a deadline."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE = 30.0
_PAUSE = 0.01


async def until(condition: Callable[[], Awaitable[bool]]) -> float:
    """Wait until it holds; return the seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(_PAUSE)
    return time.monotonic() - began


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until it holds, in a test that is not asynchronous."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < DEADLINE
        time.sleep(_PAUSE)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"
