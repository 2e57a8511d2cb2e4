"""Frozen dataclasses to JSON and back, by their annotations; what comes in is checked.

Not pydantic: that refuses the lone surrogates by which Python writes file names that are not UTF-8.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Found = TypeVar("Found")

# What modules import for their annotations alone.
_NAMES = {
    "Awaitable": Awaitable,
    "Callable": Callable,
    "BreakerState": str,
    "JobKind": str,
    "Mapping": Mapping,
    "Path": Path,
}


class MalformedData(ValueError):
    """A value has the wrong type or format; the message says where and why."""


def encode(value: Any) -> Any:
    """Turn dataclasses, mappings, sequences, paths and plain values into what JSON has.

    Raises:
        TypeError: there is something else in it.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): encode(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [encode(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be serialized")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"a mapping's keys must be strings, not {type(key).__name__}")


def decode(kind: type[Found], data: object, where: str) -> Found:
    """Turn JSON into a value of a type: a dataclass, or what its fields are made of.

    Fields that are not known are left out: a newer version may say more.

    Args:
        kind: the type.
        data: what `json.loads` gave.
        where: what an error calls the value.

    Raises:
        MalformedData: something is missing, or of another type.
    """
    return cast("Found", _decode(kind, data, where))


def _decode(kind: Any, data: object, where: str) -> Any:
    if is_dataclass(kind):
        return _decode_dataclass(kind, data, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _decode_union(arguments, data, where)
    if origin is tuple:
        items = _expect(list, data, where)
        return tuple(_decode(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(items))
    if origin is Mapping:
        pairs = _expect(dict, data, where).items()
        return {key: _decode(arguments[1], one, f"{where}[{key!r}]") for key, one in pairs}
    if origin is Literal:
        if data not in arguments:
            raise MalformedData(f"{where}: expected one of {', '.join(map(str, arguments))}")
        return data
    return _decode_plain(kind, data, where)


def _decode_dataclass(kind: Any, data: object, where: str) -> Any:
    given = _expect(dict, data, where)
    hints = _hints(kind)
    values = {}
    for field in fields(kind):
        if field.name in given:
            inner = f"{where}.{field.name}"
            values[field.name] = _decode(hints[field.name], given[field.name], inner)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise MalformedData(f"{where}.{field.name} is missing")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, _NAMES | vars(sys.modules[kind.__module__]))


def _decode_union(kinds: tuple[Any, ...], data: object, where: str) -> Any:
    failures = []
    for kind in kinds:
        try:
            return _decode(kind, data, where)
        except MalformedData as failure:
            failures.append(failure)
    raise failures[0]


def _decode_plain(kind: Any, data: object, where: str) -> Any:
    if kind is Any:  # JSON, as it is
        return data
    if kind is Path:
        return Path(_expect(str, data, where))
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind is int and isinstance(data, bool):
        raise MalformedData(f"{where}: expected int, got bool")
    return _expect(kind, data, where)


def _expect(kind: Any, data: object, where: str) -> Any:
    if isinstance(data, kind):
        return data
    name = "null" if kind is types.NoneType else kind.__name__
    raise MalformedData(f"{where}: expected {name}, got {type(data).__name__}")
