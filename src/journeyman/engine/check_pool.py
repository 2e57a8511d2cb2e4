"""The threads in which schemas and replies are checked: few, so that they leave others their turn.

Python cannot end a thread, so what runs here has a bound of its own (`answers/validation.py`).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Given = ParamSpec("Given")
Result = TypeVar("Result")

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="check")


async def check_aside(
    check: Callable[Given, Result], *arguments: Given.args, **more: Given.kwargs
) -> Result:
    """Run a check in a thread of its own, and return or raise what it does."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        _THREADS, partial(copy_context().run, partial(check, *arguments, **more))
    )
