"""Calls a pipeline's own functions, handles their errors and validates their results."""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import TYPE_CHECKING, Any, Protocol

from spadework.errors import SpadeworkError
from spadework.pipelines.calls import CONTEXT
from spadework.util.serialization import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from spadework.pipelines.calls import Calls

    class RunCalls(Calls, Protocol):
        """The calls of a run, which may end while the user's code runs."""

        ended: BaseException | None


def is_cancelled() -> bool:
    """Tell whether this task was cancelled from outside."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


async def call_alone(calls: RunCalls, function: Callable[[], Awaitable[Any]]) -> Any:
    """Call the user's code outside of DBOS's own context, so that it may call in any order."""

    async def inside() -> Any:
        CONTEXT.set(calls)
        try:
            return await function()
        except (SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            # Of its own accord: it would else end the process, or pass for a run that stops.
            raise SpadeworkError(f"{type(error).__name__}: {error}") from error

    task = asyncio.get_running_loop().create_task(inside(), context=contextvars.Context())
    try:
        value = await task
    except asyncio.CancelledError:
        raise
    except BaseException:
        if calls.ended is not None:
            raise calls.ended from None
        raise
    finally:
        task.cancel()
    if calls.ended is not None:  # the function caught it, but a run's end is not for it to stop
        raise calls.ended
    return value


def plain_json(value: Any) -> Any:
    """Return a value as JSON has it.

    Raises:
        SpadeworkError: JSON has no such value.
    """
    try:
        return json.loads(json.dumps(encode(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SpadeworkError(
            f"a pipeline's function returned a value that JSON cannot hold: {error}",
            hint="return strings, numbers, lists and dicts with string keys",
        ) from None
