"""Turns validation errors of a config file into messages with line numbers and hints."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from spadework.config.secret_masking import is_secret_name, is_secret_value, masked
from spadework.config.source_positions import locate
from spadework.config.type_names import Key, dotted, fields_of, fits_toml, found, is_list, key_at
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from spadework.config.validators import KeyPath

ModelT = TypeVar("ModelT", bound=BaseModel)

NO_SECRETS = "keys do not belong into this file; use api_key_env or api_key_file"
_WHERE_KEYS_GO = 'such as api_key_env = "NAME_OF_A_VARIABLE" under [backends.NAME] of your config'
ANY_NAME = "NAME"
_DEEPEST_KEY = 8
_SURELY_MEANT = 0.9


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong key: its path, what is wrong with it, and what to do."""

    path: KeyPath
    what: str
    hint: str = ""


def validated(
    model: type[ModelT],
    document: Mapping[str, Any],
    text: str,
    file: Path,
    already: Iterable[Problem] = (),
) -> ModelT:
    """Check a document against its model; all problems, and those found already, make one error.

    Args:
        model: the model.
        document: what the file holds.
        text: the file's text.
        file: where it is; paths in it count from its folder.
        already: problems that were found before.

    Raises:
        ConfigError: it does not fit the model.
    """
    problems = {problem.path: problem for problem in forbidden_values(document)}
    try:
        valid = model.model_validate(document, context={"folder": file.parent})
    except ValidationError as error:
        for problem in problems_of(error, model):
            problems.setdefault(problem.path, problem)
    everything = [*already, *problems.values()]
    if everything:
        raise report(everything, text, file)
    return valid


def report(problems: Iterable[Problem], text: str, file: Path) -> ConfigError:
    """Make one error of all the problems of a file: the first by line speaks for all.

    Args:
        problems: at least one.
        text: the file's text, valid TOML.
        file: where it stands.
    """
    root = locate(text)
    lines = sorted(
        ((root.find(problem.path).line, problem) for problem in problems), key=lambda pair: pair[0]
    )
    errors = tuple(
        ConfigError(
            f"{file}:{line}: {dotted(problem.path)}: {masked(problem.what)}", hint=problem.hint
        )
        for line, problem in lines
    )
    first, others = errors[0], len(errors) - 1
    if not others:
        return first
    hint = f"{first.hint}; " if first.hint else ""
    return ConfigError(
        f"{first} (and {others} more)",
        hint=f"{hint}`spadework config check` shows all",
        problems=errors,
    )


def forbidden_values(document: Mapping[str, Any]) -> list[Problem]:
    """Find values that are never allowed: API keys, and integers over 64 bits."""
    problems = []
    for path, value in _values(document, ()):
        if isinstance(value, str) and is_secret_value(value):
            problems.append(Problem(path, NO_SECRETS, _WHERE_KEYS_GO))
        elif isinstance(value, int) and not fits_toml(value):
            problems.append(Problem(path, f"value out of range: {found(value)}"))
    return problems


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Translate pydantic's errors into messages for users."""
    return [
        problem
        for detail in error.errors(include_url=False)
        for problem in _explained(detail, model)
    ]


def _explained(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[Problem]:
    path = detail["loc"]
    match detail["type"]:
        case "value_error":
            error = detail["ctx"]["error"]
            for below, what in getattr(error, "found", [((), str(error))]):
                yield Problem((*path, *below), what, _known(model, (*path, *below)).hint)
        case "extra_forbidden":
            yield _unknown(path, model, detail["input"])
        case "missing":
            key = _known(model, path)
            yield Problem(path, f"is missing; expected {key.takes()}", key.hint)
        case _:
            yield _misfit(path, model, detail["input"])


def _known(model: type[BaseModel], path: KeyPath) -> Key:
    return key_at(model, path) or Key(model)


def _misfit(path: KeyPath, model: type[BaseModel], value: object) -> Problem:
    if _is_secret(path, model, value):
        return Problem(path, NO_SECRETS, _WHERE_KEYS_GO)
    key = _known(model, path)
    what = f"expected {key.takes()}, got {found(value)}"
    near = get_close_matches(value, key.choices, 1) if isinstance(value, str) else []
    if near:
        what += f"; did you mean {near[0]!r}?"
    return Problem(path, what, key.hint)


def _is_secret(path: KeyPath, model: type[BaseModel], value: object) -> bool:
    """Whether a text belongs to a key whose name suggests a secret and is not a typo."""
    name, known = str(path[-1]), _known(model, path[:-1]).fields
    if not isinstance(value, str) or not is_secret_name(name) or name in known:
        return False
    return not get_close_matches(name, known, 1, _SURELY_MEANT)


def _unknown(path: KeyPath, model: type[BaseModel], value: object) -> Problem:
    if _is_secret(path, model, value):
        return Problem(path, NO_SECRETS, _WHERE_KEYS_GO)
    *above, last = path
    name, known = str(last), list(_known(model, tuple(above)).fields)
    near = get_close_matches(name, known, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    hint = _where_it_belongs(name, value, model)
    if not hint:
        here = f"[{dotted(above)}] takes" if above else "the top of the file takes"
        hint = f"{here}: {', '.join(known)}"
    return Problem(path, f"unknown key{meant}", hint)


def _where_it_belongs(name: str, value: object, model: type[BaseModel]) -> str:
    """Say where a misplaced key or table belongs; nothing if it belongs nowhere."""
    for section, fields in sections(model):
        if name in fields:
            return f"{name} belongs into [{section}]" if section else f"{name} belongs to the top"
        if section.endswith(f".{ANY_NAME}") and isinstance(value, dict) and value.keys() & fields:
            return f"write [{section.removesuffix(ANY_NAME)}{dotted([name])}]"
    return ""


def sections(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    """Walk through the tables of a config: the header of each, its keys.

    A header has NAME for a name of the user's choice, and brackets where there may be several
    tables: `backends.NAME`, `[projects]`.
    """
    yield "", fields_of(model)
    for name in fields_of(model):
        for path in ((name,), (name, ANY_NAME)):
            key = key_at(model, path)
            if key and key.fields:
                several = is_list(model, name)
                yield f"[{name}]" if several else ".".join(path), key.fields


def _values(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Walk through what a document holds, as deep as a config can be."""
    if len(path) > _DEEPEST_KEY:
        return
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _values(inner, (*path, place))
