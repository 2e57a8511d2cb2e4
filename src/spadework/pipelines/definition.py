"""What a pipeline is: a function under `@pipeline`, found by `FILE:NAME` or a ready one's name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Coroutine, Sequence
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from spadework.errors import ArgumentError, SpadeworkError
from spadework.pipelines import ready
from spadework.pipelines.calls import CONTEXT, made_by
from spadework.pipelines.items import Item, ItemResult

if TYPE_CHECKING:
    from types import ModuleType

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
        with made_by(calls.for_item(item)):
            return await self.each(item)


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


@cache
def ready_names() -> tuple[str, ...]:
    """The names of the pipelines that come with Spadework."""
    found = (one.name.replace("_", "-") for one in pkgutil.iter_modules(ready.__path__))
    return tuple(sorted(found))


def full_name(name: str) -> str:
    """Return a pipeline's name as a run keeps it: a file by its absolute path.

    Raises:
        ArgumentError: there is neither such a file nor such a ready pipeline.
    """
    if name in ready_names():
        return name
    file, _, chosen = _split(name)
    if not file.is_file():
        known = ready_names()
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"ready pipelines: {', '.join(known)}"
        raise ArgumentError(f"no such pipeline file: {str(file)!r}", hint=hint)
    return f"{file.absolute()}:{chosen}" if chosen else str(file.absolute())


def find_pipeline(name: str) -> Pipeline:
    """Load a pipeline.

    Args:
        name: `FILE`, `FILE:NAME`, or the name of a ready one.

    Raises:
        ArgumentError: the file is not there or does not load, or holds no such pipeline.
    """
    if name in ready_names():
        module = importlib.import_module(f"{ready.__name__}.{name.replace('-', '_')}")
        return _chosen(module, "", name)
    full = full_name(name)
    file, _, chosen = _split(full)
    return _chosen(_load(file), chosen, str(file))


def _split(name: str) -> tuple[Path, str, str]:
    if Path(name).is_file():
        return Path(name), "", ""
    file, colon, chosen = name.rpartition(":")
    return (Path(file), colon, chosen) if colon and chosen.isidentifier() else (Path(name), "", "")


def _load(file: Path) -> ModuleType:
    """Run a file as a module of its own, with its folder's modules within reach."""
    name = f"spadework_pipeline_{sha256(str(file).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ArgumentError(f"{file} is not a Python file", hint="its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except SpadeworkError:
        del sys.modules[name]
        raise
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ArgumentError(f"{file} does not load: {_where(error, file)}") from error
    return module


def _where(error: BaseException, file: Path) -> str:
    """Say what went wrong and in which line of the file."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f" (line {line})" if line else ""
    said = error.msg if isinstance(error, SyntaxError) else error
    return f"{type(error).__name__}: {said}{where}"


def _chosen(module: ModuleType, name: str, where: str) -> Pipeline:
    found = {key: one for key, one in vars(module).items() if isinstance(one, Pipeline)}
    if name:
        if name not in found:
            raise ArgumentError(
                f"{where} has no pipeline {name!r}", hint=f"it has: {', '.join(found) or 'none'}"
            )
        return found[name]
    if not found:
        raise ArgumentError(
            f"{where} has no pipeline", hint="write `@pipeline` above an async function of one Item"
        )
    if len(found) > 1:
        raise ArgumentError(
            f"{where} has several pipelines", hint=f"name one: {where}:{next(iter(found))}"
        )
    return next(iter(found.values()))
