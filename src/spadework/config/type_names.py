"""Names of types, values and key paths of the config, for error messages and the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from spadework.config.secret_masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_LONGEST_SHOWN = 60
_BARE_KEY = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST_SHOWN}}}")
_ONE = {
    str: "a string",
    int: "an integer",
    float: "a number",
    Path: "a path",
    bool: "true or false",
}
_MANY = {str: "strings", int: "integers", float: "numbers", Path: "paths"}


def dotted(path: Iterable[str | int]) -> str:
    """Write a key path as TOML does: `tools."my tool".models[0]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if _BARE_KEY.fullmatch(key) else f".{shown(key)}"
    return masked(text.removeprefix("."))


def shown(text: str) -> str:
    """Return a text from outside as it may be shown: quoted, short, no secret, no hidden sign."""
    safe = masked(text)
    return repr(safe if len(safe) <= _LONGEST_SHOWN else safe[: _LONGEST_SHOWN - 1] + "…")


def found(value: object) -> str:
    """Describe the value that was given instead of the expected one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if fits_toml(value) else "a number with too many digits"
    if isinstance(value, str):
        return f"the string {shown(value)}"
    if isinstance(value, float):
        return str(value)
    return {"dict": "a table", "list": "a list"}.get(type(value).__name__, "a date or time")


def as_toml(value: Any) -> str:
    """Write a value as after the `=` of a config file; a table on one line."""
    import tomlkit  # noqa: PLC0415 - only what writes a config needs it

    if isinstance(value, dict):
        pairs = (
            f"{tomlkit.key(key).as_string()} = {as_toml(inner)}" for key, inner in value.items()
        )
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    return str(tomlkit.item(value).as_string())


def fits_toml(number: int) -> bool:
    """Whether an integer fits into 64 bits, as TOML requires."""
    return -(2**63) <= number < 2**63


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the config, as declared by its model.

    Attributes:
        kind: its type, without `None` and `Annotated`.
        rules: what pydantic keeps of its `Field`: bounds and the like.
        about: its description.
    """

    kind: Any
    rules: Sequence[Any] = ()
    about: str = ""

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """The keys that it takes if it is a table of fixed keys, else nothing."""
        return fields_of(self.kind)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it takes if there are but a few, else nothing."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def hint(self) -> str:
        """The first sentence of its description."""
        return " ".join(self.about.split()).partition(". ")[0].rstrip(".")

    def takes(self) -> str:
        """Describe the expected value: "an integer greater than 0", "one of 'local', 'cloud'"."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        origin, inner = get_origin(self.kind), get_args(self.kind)
        if origin is list:
            return f"a list of {_several(inner[0])}"
        if origin is dict:
            return f"a table of {_several(inner[1])}"
        return _ONE.get(self.kind, "a table") + _bounds(self.rules)


def key_at(model: type[BaseModel], path: Sequence[str | int]) -> Key | None:
    """Find the key at a path; None if the model has no such key."""
    key = Key(model)
    for name in path:
        if get_origin(key.kind) in {list, dict}:
            key = Key(*_bare(get_args(key.kind)[-1], ()), about=key.about)
        elif (field := key.fields.get(str(name))) is not None:
            key = key_of(field)
        else:
            return None
    return key


def is_list(model: type[BaseModel], name: str) -> bool:
    """Tell whether a key of a model takes a list."""
    key = key_at(model, (name,))
    return key is not None and get_origin(key.kind) is list


def key_of(field: FieldInfo) -> Key:
    """Return the key that a model's field declares."""
    return Key(*_bare(field.annotation, field.metadata), about=field.description or "")


def fields_of(kind: Any) -> dict[str, FieldInfo]:
    """Return the keys that a table takes, by name; empty if its keys are not fixed."""
    return getattr(kind, "__pydantic_fields__", {})


def _bare(annotation: Any, rules: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """Take `… | None` and `Annotated` off a type; the rules of the latter come along."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *extra = get_args(annotation)
            rules = [
                *rules,
                *(rule for some in extra for rule in getattr(some, "metadata", [some])),
            ]
        elif origin in {Union, UnionType}:
            annotation = next(kind for kind in get_args(annotation) if kind is not NoneType)
        else:
            return annotation, rules


def _several(annotation: Any) -> str:
    kind, rules = _bare(annotation, ())
    return _MANY.get(kind, "tables") + _bounds(rules)


def _bounds(rules: Sequence[Any]) -> str:
    bound = {
        name: getattr(rule, name)
        for rule in rules
        for name in ("gt", "ge", "lt", "le")
        if hasattr(rule, name)
    }
    if "gt" in bound:
        return f" greater than {bound['gt']}"
    if "ge" in bound and "le" in bound:
        return f" from {bound['ge']} to {bound['le']}"
    return f" of {bound['ge']} or more" if "ge" in bound else ""
