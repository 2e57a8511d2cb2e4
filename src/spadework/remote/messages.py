"""The messages of a `call` connection: values, errors and lines of JSON.

    client  {"call": "delegate", "job": {…}, "session": {…}, …}      one request
    daemon  {"progress": {…}}, {"text": "…"}, {"away": "…"}           while it works
    daemon  {"result": …} or {"error": {…}}                           the end

The client that closes its end cancels the call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spadework import errors
from spadework.engine.job import Answer, HandBack, Session
from spadework.errors import ConfigError, SpadeworkError
from spadework.shim.line_buffer import LONGEST_LINE, excess
from spadework.util.serialization import MalformedData, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spadework.engine.job import Outcome

LONGEST = LONGEST_LINE
"""Bytes of one line that a client says."""
LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of one line that the daemon says."""


def line_of(message: Mapping[str, Any]) -> bytes:
    """Write a message as one line; what is not ASCII stays as short as UTF-8 is."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass") + b"\n"


def load_message(line: bytes) -> dict[str, Any]:
    """Read a message of the daemon from a line.

    Raises:
        MalformedData: it is not a JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedData("a line is not valid JSON") from None
    if not isinstance(message, dict):
        raise MalformedData(f"a message is an object, not {type(message).__name__}")
    return message


def load_request(line: bytes) -> dict[str, Any]:
    """Read a message of a client, who may be anybody's program.

    Raises:
        MalformedData: it is not a JSON object, or more than one message may be.
    """
    if reason := excess(line):
        raise MalformedData(f"a line is refused: {reason}")
    return load_message(line)


def session_data(session: Session) -> dict[str, Any]:
    """Write a session's folders and name; its keys went along with the hello."""
    folders = [str(root.absolute()) for root in session.roots]
    project = str(session.project.absolute())
    return {"project": project, "roots": folders, "name": session.name, "run": session.run}


@dataclass(frozen=True, slots=True)
class _SessionRecord:
    project: Path
    roots: tuple[Path, ...] = ()
    name: str = ""
    run: str = ""


def load_session(data: object, keys: Mapping[str, str]) -> Session:
    """Read a session; relative folders are refused, for the daemon stands elsewhere."""
    record = decode(_SessionRecord, data, "session")
    for folder in (record.project, *record.roots):
        if not folder.is_absolute():
            raise MalformedData(f"session: the folder {str(folder)!r} is not absolute")
    return Session(record.project, record.roots, record.name, keys=keys, run=record.run)


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """Write an answer or a hand-back."""
    return {"answer" if isinstance(outcome, Answer) else "hand_back": encode(outcome)}


def load_outcome(data: object) -> Outcome:
    """Read an answer or a hand-back."""
    match data:
        case {"answer": inner}:
            return decode(Answer, inner, "answer")
        case {"hand_back": inner}:
            return decode(HandBack, inner, "hand_back")
        case _:
            raise MalformedData("the result is neither an answer nor a hand-back")


# What each class of the tree holds besides message and hint, and what stands for it where an
# older version did not say it.
_FIELDS: dict[type[SpadeworkError], dict[str, Any]] = {
    errors.ReferenceRefused: {"reference": "", "path": "", "rule": "", "reason": ""},
    errors.SecretRefused: {"label": "", "line": 0, "kind": "", "more": 0},
    errors.BackendError: {"backend": "", "model": ""},
    errors.ContextExceeded: {"tokens": None, "window": None, "bytes_that_fit": None},
    errors.Overloaded: {"retry_after": None},
    errors.CheckFailed: {"check": ""},
    errors.HandedBack: {"tries": (), "codes": ()},
}


@dataclass(frozen=True, slots=True)
class _ErrorRecord:
    kind: str
    message: str
    hint: str = ""
    fields: Mapping[str, str | int | float | tuple[str, ...] | None] = field(default_factory=dict)
    problems: tuple[_ErrorRecord, ...] = ()


def error_data(error: SpadeworkError) -> dict[str, Any]:
    """Write an error with the name of its class."""
    return dict(encode(_record(error)))


def _record(error: SpadeworkError) -> _ErrorRecord:
    problems = error.problems if isinstance(error, ConfigError) else ()
    return _ErrorRecord(
        kind=type(error).__name__,
        message=str(error),
        hint=error.hint,
        fields={name: getattr(error, name) for name in _fields(type(error))},
        problems=tuple(_record(one) for one in problems if one is not error),
    )


def _fields(kind: type[SpadeworkError]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in kind.__mro__:
        found |= _FIELDS.get(one, {})
    return found


def load_error(data: object) -> SpadeworkError:
    """Read an error: one of the same class where there is such a class, else the root's."""
    return _raised_elsewhere(decode(_ErrorRecord, data, "error"))


def _raised_elsewhere(record: _ErrorRecord) -> SpadeworkError:
    kind = _class_named(record.kind)
    # The message is whole already: the class's own constructor would put the backend before it.
    error = kind.__new__(kind)
    SpadeworkError.__init__(error, record.message, hint=record.hint)
    for name, default in _fields(type(error)).items():
        setattr(error, name, record.fields.get(name, default))
    if isinstance(error, ConfigError):
        problems = (_raised_elsewhere(one) for one in record.problems)
        error.problems = tuple(one for one in problems if isinstance(one, ConfigError)) or (error,)
    return error


def _class_named(name: str) -> type[SpadeworkError]:
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, SpadeworkError):
        return found
    return SpadeworkError
