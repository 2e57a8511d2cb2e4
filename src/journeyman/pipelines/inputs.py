"""From a run's inputs to its items: paths, folders, globs, JSON lines, standard input, git."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.engine.reading import roots_of
from journeyman.errors import ArgumentError, ReferenceRefused
from journeyman.inputs.git.grammar import FLAGS, PREFIX, is_git
from journeyman.inputs.git.reading import read_git
from journeyman.inputs.listing import list_files
from journeyman.inputs.patterns import pattern_list
from journeyman.pipelines.values import Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from journeyman.config.models import Config
    from journeyman.engine.values import Session

STDIN = "-"
_JSON_LINES = (".jsonl", ".ndjson")
_NAME_LENGTH = 60
_MOST_FILES = 1_000_000
_NO_RANGE = re.compile(r"[\w@][\w./@{}^~+#=-]*")


async def items_of(
    inputs: Sequence[str],
    session: Session,
    config: Config,
    *,
    stdin: TextIO | None = None,
    private: bool = False,
) -> tuple[Item, ...]:
    """List a run's items, each file once.

    Args:
        inputs: paths, folders and globs, whose files are the items; a `.jsonl` file, whose lines
            are; `git:RANGE`, whose changed files are; `-` for the lines of standard input.
        session: the folder that paths start from.
        config: what may be read, and what is private.
        stdin: standard input.
        private: every item is private.

    Raises:
        ArgumentError: there is no item, or a line of JSON is wrong.
        ReferenceRefused: a path may not be read or stands for nothing.
    """
    if not inputs:
        raise ArgumentError("there is nothing to work on", hint="name paths, or - for stdin")
    return await asyncio.to_thread(_Listing(session, config, private=private).of, inputs, stdin)


class _Listing:
    def __init__(self, session: Session, config: Config, *, private: bool) -> None:
        self._roots = roots_of(session, config)
        self._limits = config.references
        self._private = private
        patterns = unicodedata.normalize("NFC", "\n".join(config.references.private))
        self._patterns = pattern_list(patterns, re.IGNORECASE)
        self._items: list[Item] = []
        self._seen: set[str] = set()

    def of(self, inputs: Sequence[str], stdin: TextIO | None) -> tuple[Item, ...]:
        if inputs.count(STDIN) > 1:
            raise ArgumentError("standard input can be read once: - stands twice")
        for one in inputs:
            if one == STDIN:
                self._add_stdin(stdin)
            elif is_git(one):
                self._add_changes(one)
            elif one.lower().endswith(_JSON_LINES):
                self._add_file_of_lines(one)
            else:
                for reference in list_files([one], self._roots, _MOST_FILES).references:
                    self._add_path(reference)
        if not self._items:
            raise ArgumentError("there is no item in what was given", hint="is the file empty?")
        return tuple(self._items)

    def _add(self, name: str, **fields: Any) -> None:
        private = self._private or fields.pop("private", False)
        self._items.append(Item(len(self._items) + 1, name, private=private, **fields))

    def _add_path(self, reference: str, **fields: Any) -> None:
        full = str(self._roots.project / reference)
        if full in self._seen:
            return
        self._seen.add(full)
        private = fields.pop("private", False) or self._is_private(Path(full))
        self._add(reference, path=full, private=private, **fields)

    def _is_private(self, path: Path) -> bool:
        """By the path that leads to it or by its real one, as for references."""
        below = [
            one.relative_to(root)
            for one in (path, path.resolve())
            if (root := self._roots.root_of(one))
        ]
        return any(self._patterns.covers(unicodedata.normalize("NFC", str(one))) for one in below)

    def _add_changes(self, reference: str) -> None:
        """Add each file that a git range changes."""
        asked = git_diff(reference)
        listing = read_git(f"{asked} --name-only", self._roots, self._limits.max_file_bytes)
        for name in listing.text.splitlines():
            path = f"{asked} -- {shlex.quote(name)}"
            private = self._is_private(self._roots.project / name)
            self._add(name, path=path, private=private)

    def _add_file_of_lines(self, reference: str) -> None:
        (listed,) = list_files([reference], self._roots, _MOST_FILES).references or ("",)
        file = self._roots.project / listed
        try:
            text = file.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise ArgumentError(f"{reference} is no UTF-8") from None
        except OSError as error:
            raise ArgumentError(f"{reference}: {error.strerror}") from None
        for place, line in _lines(text):
            self._add_value(
                _value(line, f"{reference}, line {place}"), f"{reference}, line {place}"
            )

    def _add_stdin(self, stdin: TextIO | None) -> None:
        """Add the lines of standard input: JSON if every one is an object, else as they are."""
        try:
            text = stdin.read() if stdin else ""
        except UnicodeDecodeError:
            raise ArgumentError("standard input is no UTF-8") from None
        lines = list(_lines(text))
        are_objects = bool(lines) and all(line.lstrip().startswith("{") for _, line in lines)
        for place, line in lines:
            where = f"standard input, line {place}"
            self._add_value(_value(line, where) if are_objects else line, where)

    def _add_value(self, value: Any, where: str) -> None:
        if isinstance(value, str):
            self._add(_short(value), text=value)
            return
        if not isinstance(value, dict):
            raise ArgumentError(f"{where}: an item is a text or an object, not {value!r:.60}")
        private = value.get("private", False)
        if not isinstance(private, bool):
            raise ArgumentError(f"{where}: `private` is true or false, not {private!r:.60}")
        for name in ("path", "text", "name"):
            if not isinstance(value.get(name, ""), str):
                raise ArgumentError(f"{where}: `{name}` is a text, not {value[name]!r:.60}")
        if path := value.get("path"):
            self._add_named_path(path, value, where, private=private)
            return
        text = value.get("text") or json.dumps(value, ensure_ascii=False)
        self._add(value.get("name") or _short(text), text=text, data=value, private=private)

    def _add_named_path(self, path: str, value: Any, where: str, *, private: bool) -> None:
        try:
            listed = list_files([path], self._roots, _MOST_FILES).references
        except ReferenceRefused as refused:
            raise ArgumentError(f"{where}: {refused}", hint=refused.hint) from None
        for reference in listed:
            self._add_path(reference, data=value, private=private)


def git_diff(reference: str) -> str:
    """Write `git:RANGE` as the reference that the engine reads: `git:diff RANGE`.

    Raises:
        ArgumentError: it asks git for something else than a difference.
    """
    said = reference.removeprefix(PREFIX).strip()
    command = said.partition(" ")[0]
    if command == "diff":
        return reference
    if command in FLAGS or not said:
        raise ArgumentError(f"{reference} is no range", hint="such as git:main.. or git:HEAD~1..")
    if _NO_RANGE.fullmatch(said) and ".." not in said:
        said = f"{said}~1..{said}"  # one commit: what it changed
    return f"{PREFIX}diff {said}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers; a line ends where JSON lines do."""
    lines: Iterable[str] = (line.removesuffix("\r") for line in text.split("\n"))
    return ((place, line) for place, line in enumerate(lines, 1) if line.strip())


def _value(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", "it is nested too deeply")
        raise ArgumentError(f"{where} is no JSON: {why}", hint="one value on each line") from None


def _short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text[: _NAME_LENGTH * 4].split())
    return line if len(line) <= _NAME_LENGTH else line[: _NAME_LENGTH - 1] + "…"
