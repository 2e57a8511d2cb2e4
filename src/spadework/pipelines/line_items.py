"""Items that are lines: read from a JSONL file or from standard input, and understood."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from spadework.errors import ArgumentError
from spadework.pipelines.items import Item
from spadework.references import refusals
from spadework.references.credential_files import holds_private_key
from spadework.references.roots import open_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from spadework.references.resolution import File

_NAME_LENGTH = 60
_MOST_SHOWN = 10
_KEYS = ("text", "path", "name", "private")
_MARK = "private"
_MEANT = frozenset({"private", "isprivate", "privat"})
_ALIKE = 0.8
_ANSWERS = frozenset({"true", "false", "yes", "no", "0", "1"})
_LOOKS_MARKED = re.compile(r'\s*\{.*"[^"]*privat[^"]*"\s*:', re.IGNORECASE | re.DOTALL)
_FORM = 'a line is a text in quotes, or an object such as {"text": …} or {"path": …}'
_PROBE = 8192
_BLOCK = 1 << 16

Line = tuple[int, str]
"""A line's number from 1 on, and the line without its end."""


def text_of(file: File) -> str:
    """Read a file of lines.

    Raises:
        ArgumentError: it is not UTF-8 text.
        ReferenceRefused: it cannot be read, or holds a private key.
    """
    try:
        with open_below(file.root, file.real) as stream:
            data = stream.read()
    except OSError as error:
        raise refusals.unreadable(file.reference, file.path, error) from error
    text = _decoded(data, file.path)
    if holds_private_key(text):
        raise refusals.credential_file(file.reference, file.path, "it holds a private key")
    return text


async def text_of_stdin(stream: TextIO | None) -> str:
    """Read it all, in a thread that nobody waits for, so that Ctrl-C ends it.

    Raises:
        ArgumentError: stdin is missing, or is not UTF-8 text.
    """
    if stream is None:
        raise ArgumentError("standard input is closed")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes | str | OSError] = loop.create_future()

    def settle(result: bytes | str | OSError) -> None:
        if not done.done():
            done.set_result(result)

    threading.Thread(
        target=lambda: loop.call_soon_threadsafe(settle, _whole(stream)), daemon=True
    ).start()
    result = await done
    if isinstance(result, OSError):
        raise ArgumentError(f"standard input cannot be read: {result.strerror}")
    return result if isinstance(result, str) else _decoded(result, "standard input")


def _whole(stream: TextIO) -> bytes | str | OSError:
    """Read by the descriptor where there is one: a buffer's lock would outlive the program."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream.read()
    blocks: list[bytes] = []
    try:
        while block := os.read(descriptor, _BLOCK):
            blocks.append(block)
    except OSError as error:
        return error
    return b"".join(blocks)


def _decoded(data: bytes, where: str) -> str:
    try:
        if b"\0" not in data[:_PROBE]:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ArgumentError(
            f"{where}, line {line}: not valid UTF-8", hint="convert it to UTF-8 first"
        ) from None
    raise ArgumentError(f"{where} is binary, not text", hint="convert it to text first")


def lines_of(text: str) -> list[Line]:
    """Split a text at its line ends, JSON's own rarer ones aside; empty lines are left out."""
    lines = enumerate(text.split("\n"), 1)
    return [(number, line.rstrip("\r")) for number, line in lines if line.strip()]


def json_items(
    lines: Iterable[Line], where: str, *, private: bool, unknown: dict[str, int] | None = None
) -> Iterator[Item]:
    """Make an item of each line of JSON; `number` is the line's, `path` is as it was given.

    Args:
        lines: the lines.
        where: what they are called in messages.
        private: whether all of them are.
        unknown: filled with the keys that mean nothing here, and the first line of each.

    Raises:
        ArgumentError: a line is not JSON, or neither a string nor an object, or has a key that is
            nearly `private`; names file and line.
    """
    for number, line in lines:
        data = _parsed(line, f"{where}, line {number}")
        if isinstance(data, dict):
            for key in _unknown_keys(data, f"{where}, line {number}"):
                (unknown if unknown is not None else {}).setdefault(key, number)
        yield _json_item(number, data, where, private=private)


def is_private_key(key: str, value: object) -> bool:
    """Whether a key of an item is meant as its mark `private`, however it is written."""
    letters = re.sub("[^a-z]", "", key.casefold())
    if letters in _MEANT:
        return True
    is_answer = value is None or str(value).strip().casefold() in _ANSWERS
    return is_answer and ("privat" in letters or bool(_closest(letters, (_MARK,))))


def note_on(unknown: dict[str, int], where: str) -> str:
    """Say in a line which keys of items mean nothing here; empty if there are none."""
    if not unknown:
        return ""
    shown = [_described(key, number) for key, number in list(unknown.items())[:_MOST_SHOWN]]
    more = f" and {len(unknown) - _MOST_SHOWN} more" if len(unknown) > _MOST_SHOWN else ""
    return f"{where}: unknown keys, kept in `item.data` only: {', '.join(shown)}{more}"


def _described(key: str, number: int) -> str:
    closest = _closest(key.casefold().strip(), _KEYS)
    meant = f"; did you mean {closest!r}?" if closest else ""
    return f"{short(key)!r} (line {number}{meant})"


def _closest(word: str, known: tuple[str, ...]) -> str:
    return next(iter(get_close_matches(word[:_NAME_LENGTH], known, 1, _ALIKE)), "")


def _unknown_keys(data: dict[str, Any], at: str) -> list[str]:
    keys = [key for key in data if key not in _KEYS]
    for key in keys:
        if is_private_key(key, data[key]):
            raise ArgumentError(
                f"{at}: unknown key {short(key)!r}; did you mean {_MARK!r}?",
                hint=f"write {_MARK!r}, or rename the key if it is something else",
            )
    return keys


def is_jsonl(lines: list[Line]) -> bool:
    """Whether they are meant as JSONL: the first one is an object."""
    if not lines or not lines[0][1].lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(lines[0][1]), dict)
    except (ValueError, RecursionError):
        return False


def text_items(lines: Iterable[Line], where: str, *, private: bool) -> Iterator[Item]:
    """Make an item of each line as it stands.

    Raises:
        ArgumentError: a line is marked private as in JSONL, which these lines are not.
    """
    for number, line in lines:
        if not private and _LOOKS_MARKED.match(line):
            raise ArgumentError(
                f"{where}, line {number}: it is marked {_MARK!r}, but the lines are read as texts, "
                "since the first one is not a JSON object",
                hint="make each line a JSON object, or mark all of them by --private",
            )
        yield Item(number, short(line), text=line, private=private)


def short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text[: 4 * _NAME_LENGTH].split())
    return line if len(line) <= _NAME_LENGTH else line[: _NAME_LENGTH - 1] + "…"


def _parsed(line: str, at: str) -> Any:
    try:
        data = json.loads(line, object_pairs_hook=_object)
        # What could not be written again: half a character, NaN, a number without end.
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{at}: it holds half a character (a lone surrogate)") from None
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at column {error.colno}"
        raise ArgumentError(f"{at}: not valid JSON: {reason}", hint=_FORM) from None
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{at}: JSON that cannot be stored: {error}") from None
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without a key that is there twice: which one counts would be a guess."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {short(key)!r} is there twice")
        found[key] = value
    return found


def _json_item(number: int, data: Any, where: str, *, private: bool) -> Item:
    at = f"{where}, line {number}"
    if isinstance(data, str):
        return Item(number, short(data), text=data, data=data, private=private)
    if not isinstance(data, dict):
        raise ArgumentError(f"{at}: it is neither a text nor an object", hint=_FORM)
    text = _field(data, "text", str, at)
    path = _field(data, "path", str, at)
    marked = _field(data, "private", bool, at) or False
    if text is None and path is None:
        text = json.dumps(data, ensure_ascii=False)
    name = _field(data, "name", str, at) or path or text or ""
    return Item(number, short(name), path, text, data, private=private or marked)


def _field(data: dict[str, Any], name: str, kind: type[Any], at: str) -> Any:
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        what = "a text" if kind is str else "true or false"
        raise ArgumentError(f"{at}: its {name!r} is not {what}")
    return value
