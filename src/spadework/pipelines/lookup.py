"""Loads a pipeline by `FILE:NAME` or by the name of a ready pipeline."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError, SpadeworkError
from spadework.pipelines import ready
from spadework.pipelines.decorator import Pipeline

if TYPE_CHECKING:
    from types import ModuleType


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
