"""The `@pipeline` decorator, which makes a plain async function a pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar, overload

from spadework.errors import ArgumentError
from spadework.pipelines.calls import CONTEXT
from spadework.pipelines.items import Item, ItemResult

Each = Callable[[Item], Coroutine[Any, Any, Any]]
Finish = Callable[[Sequence[ItemResult]], Coroutine[Any, Any, Any]]
End = TypeVar("End", bound=Finish)


class Pipeline:
    """A function that is called for each item of a run, and one for the end of it.

    Args:
        each: an async function of one `Item`; what it returns is the row's value.
        inputs: what a run works on that is given no inputs.

    Raises:
        ArgumentError: it is not an async function.
    """

    def __init__(self, each: Each, inputs: Sequence[str] = ()) -> None:
        self.each = _checked(each)
        self.inputs = tuple(inputs)
        self.name = each.__name__
        self.doc = inspect.getdoc(each) or ""
        self.end: Finish | None = None

    def finish(self, function: End) -> End:
        """Register the function that is called once with all rows, in the order of the items.

        Raises:
            ArgumentError: it is not an async function.
        """
        self.end = _checked(function)
        return function

    async def __call__(self, item: Item) -> Any:
        """Do one item, as private as it is; for tests of a pipeline, or from another one."""
        calls = CONTEXT.get(None)
        if calls is None:
            return await self.each(item)
        token = CONTEXT.set(calls.for_item(item))
        try:
            return await self.each(item)
        finally:
            CONTEXT.reset(token)


@overload
def pipeline(each: Each, /) -> Pipeline: ...


@overload
def pipeline(*, inputs: Sequence[str]) -> Callable[[Each], Pipeline]: ...


def pipeline(
    each: Each | None = None, /, *, inputs: Sequence[str] = ()
) -> Pipeline | Callable[[Each], Pipeline]:
    """Make an async function of one `Item` a pipeline.

        @pipeline
        async def describe(item: Item) -> str: ...

        @pipeline(inputs=["git:HEAD"])
        async def review(item: Item) -> str: ...

    Args:
        each: the function.
        inputs: what a run works on that is given no inputs.

    Raises:
        ArgumentError: it is not an async function.
    """
    if each is not None:
        return Pipeline(each, inputs)
    return lambda function: Pipeline(function, inputs)


def _checked(function: Any) -> Any:
    if not inspect.iscoroutinefunction(function):
        name = getattr(function, "__name__", repr(function))
        raise ArgumentError(f"{name} is not an async function", hint=f"write `async def {name}(…)`")
    return function
