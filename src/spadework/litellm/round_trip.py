"""Adds keys and items to YAML by a round trip through ruamel.yaml: comments, order, quotes stay.

Scalars keep their spelling (`0x1F`, `1.50`, `yes`). Only blanks may change on other lines, where a
file mixes indentations; the difference that the user sees has those lines. A round trip that
would change more is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from spadework.errors import ConfigError
from spadework.litellm.yaml_document import BOM, is_flow, is_mapping, is_scalar

if TYPE_CHECKING:
    from spadework.litellm.yaml_document import Document, Node
    from spadework.litellm.yaml_tree import Comments, Path

_HEAD = re.compile(r"(?:(?:[ \t]*(?:#[^\n]*)?|%[^\n]*)\n)*(?:---[ \t]*(?:#[^\n]*)?\n)?")


@dataclass(slots=True)
class RoundTrip:
    """Additions to one document, gathered first and written together."""

    document: Document
    added: list[tuple[Path, Any, Comments]] = field(default_factory=list)
    """Where, what, and the comments to it."""

    def add(self, path: Path, value: Any, comments: Comments | None = None) -> None:
        """Add keys to the mapping at a path, or items to the list; it is made where it is missing.

        Raises:
            ConfigError: something else is there.
        """
        there: Any = self.document.data
        for key in path:
            there = there.get(key) if isinstance(there, dict) else there[key]
        wants_list = not isinstance(value, Mapping)
        if there is not None and not isinstance(there, list if wants_list else dict):
            kind, empty = ("list", "[]") if wants_list else ("mapping", "{}")
            raise ConfigError(
                f"{self.document.name}: {path[-1]} is not a {kind}, so nothing was added",
                hint=f"write `{path[-1]}: {empty}` there, then merge again",
            )
        self.added.append((path, value, comments or {}))

    def done(self) -> str:
        """Return the new text.

        Raises:
            ConfigError: more than the additions would change.
        """
        from spadework.litellm import yaml_tree  # noqa: PLC0415 - `litellm --help` saves 60 ms

        text = self.document.text
        plain = text.removeprefix(BOM).replace("\r\n", "\n")
        head = (_HEAD.match(plain) or ("",))[0]
        body = plain[len(head) :]
        indentation = yaml_tree.Indentation(*_indentation(self.document.root))
        try:
            tree = yaml_tree.load(body)
            untouched = yaml_tree.dump(tree, indentation)
            for path, value, comments in self.added:
                yaml_tree.add(tree, path, value, comments)
            after = yaml_tree.dump(tree, indentation)
        except Exception as error:  # ruamel raises errors of many kinds
            raise self._refusal() from error
        if not body.endswith("\n"):
            after = after.removesuffix("\n")
        after = head + after
        if _visible(untouched) != _visible(body) or not self._means(after, self._wanted()):
            raise self._refusal()
        after = after.replace("\n", "\r\n") if "\r\n" in text else after
        return (BOM if text.startswith(BOM) else "") + after

    def started(self, text: str, data: Mapping[str, Any]) -> str:
        """Give a file that says nothing its first keys; what it has of comments stays above.

        Raises:
            ConfigError: the keys cannot be written behind what is there.
        """
        before = self.document.text
        newline = "\r\n" if "\r\n" in before else "\n"
        if before.removeprefix(BOM) and not before.endswith("\n"):
            before += newline
        after = before + text.replace("\n", newline)
        if not self._means(after, data):
            raise self._refusal()
        return after

    def _wanted(self) -> Any:
        """Return the data before with the additions, in that order."""
        wanted: Any = self.document.data
        for path, value, _ in self.added:
            wanted = _grown(wanted, path, value)
        return wanted

    @staticmethod
    def _means(after: str, wanted: Any) -> bool:
        """Read a result as LiteLLM does."""
        try:
            return repr(yaml.safe_load(after)) == repr(wanted)  # no .nan is equal to itself
        except (yaml.YAMLError, ValueError):
            return False

    def _refusal(self) -> ConfigError:
        return ConfigError(
            f"{self.document.name}: the additions would alter more than their own lines, "
            "so none was made",
            hint="add the entries in your editor; `spadework litellm config` prints them",
        )


def written(data: Mapping[str, Any], comments: Comments | None = None) -> str:
    """Write data as YAML in lines."""
    from spadework.litellm import yaml_tree  # noqa: PLC0415 - as above

    return yaml_tree.dump(yaml_tree.commented(data, comments or {}), yaml_tree.Indentation())


def _visible(text: str) -> str:
    """Leave blanks out, and commas that end a list in brackets."""
    return re.sub(r",(?=[}\]])", "", "".join(text.split()))


def _grown(data: Any, path: Path, more: Any) -> Any:
    """Return data with an addition; what an anchor shares stays without it elsewhere."""
    if not path:
        return {**(data or {}), **more} if isinstance(more, Mapping) else [*(data or []), *more]
    key, *rest = path
    if isinstance(data, list):
        place = int(key)
        return [*data[:place], _grown(data[place], tuple(rest), more), *data[place + 1 :]]
    return {**data, key: _grown(data.get(key), tuple(rest), more)}


def _indentation(root: Node | None) -> tuple[int, int, int]:
    """Find how the file indents: by its first mapping, and its first list, below a key."""
    mapping = item = dash = None
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen or is_scalar(node) or is_flow(node):
            continue
        seen.add(id(node))
        if not is_mapping(node):
            waiting.extend(reversed(node.value))
            continue
        waiting.extend(value for _, value in reversed(node.value))
        for key, value in node.value:
            columns = value.start_mark.column - key.start_mark.column
            if is_scalar(value) or is_flow(value) or columns < 0:
                continue
            if is_mapping(value):
                mapping = mapping or columns
            elif dash is None:
                dash = columns
                item = value.value[0].start_mark.column - key.start_mark.column
    dash = 2 if dash is None else dash
    return mapping or 2, max(item or dash + 2, dash + 2), dash
