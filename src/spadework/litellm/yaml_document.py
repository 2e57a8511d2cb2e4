"""A proxy's config file as LiteLLM reads it, with the lines on which things are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from spadework.errors import ConfigError

Node = Any
"""A node of PyYAML's, with its anchor besides."""

BOM = "\ufeff"
_MERGE = "<<"
_MOST_MERGES = 20
_MOST_BYTES = 1_000_000
# Line ends to one reader of YAML and none to another.
_ODD_LINE_END = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text, its tree and its data; both are None for a file that says nothing."""

    name: str
    text: str
    root: Node | None
    data: Any


class _Loader(yaml.SafeLoader):
    """LiteLLM's own reader; its nodes remember their anchors."""

    def compose_node(self, parent: Any, index: Any) -> Node:
        is_alias = self.check_event(yaml.AliasEvent)
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node: Node = super().compose_node(parent, index)
        if not is_alias:
            node.anchor = event.anchor
        return node


def decode(content: bytes, name: str) -> str:
    """Return a file's text; a byte order mark and the line ends stay as they are.

    Raises:
        ConfigError: it is not UTF-8, or too large to be a config file.
    """
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{name}: is larger than any config file: {len(content)} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{name}, line {line}: not valid UTF-8", hint="save it as UTF-8"
        ) from None


def read(text: str, name: str) -> Document:
    """Read a config file.

    Args:
        text: the file's text.
        name: what it is called in messages.

    Raises:
        ConfigError: it is not YAML, or not a mapping.
    """
    if odd := _ODD_LINE_END.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        raise ConfigError(
            f"{name}, line {line}: holds {odd[0]!a}, which only some readers of YAML take "
            "for a line end",
            hint="remove it in your editor",
        )
    try:
        root = yaml.compose(text.removeprefix(BOM), _Loader)
        data = yaml.safe_load(text)  # what no value can be made of is noticed only here
    except RecursionError:
        raise ConfigError(f"{name}: is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - PyYAML raises errors of many kinds
        raise ConfigError(
            f"{name}{_place(error)}: not YAML that LiteLLM can read: {_reason(error)}",
            hint="LiteLLM would not start with it either; fix that line first",
        ) from None
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{name}: not a LiteLLM config file: expected keys such as model_list")
    return Document(name, text, root, data)


def child(node: Node | None, key: str, depth: int = 0) -> Node | None:
    """Return the value of a key, one that a merge (`<<`) brings too; None where there is none.

    A key that stands there twice counts as LiteLLM reads it: the last one.
    """
    pair = own(node, key)
    if pair is not None:
        return pair[1]
    merged = own(node, _MERGE)
    if merged is None or depth > _MOST_MERGES:
        return None
    sources = merged[1].value if is_sequence(merged[1]) else [merged[1]]
    found = (child(source, key, depth + 1) for source in sources)
    return next((one for one in found if one is not None), None)


def own(node: Node | None, key: str) -> tuple[Node, Node] | None:
    """Return a key's own pair of nodes, None where it is not there."""
    if node is None or not is_mapping(node):
        return None
    pairs = [pair for pair in node.value if pair[0].value == key]
    return pairs[-1] if pairs else None


def items(node: Node | None) -> list[Node]:
    """Return the items of a list; empty where it is none."""
    return list(node.value) if node is not None and is_sequence(node) else []


def words(node: Node | None) -> str | None:
    """Return a scalar's text; None where there is none, or nothing in it."""
    if node is None or not is_scalar(node) or is_null(node):
        return None
    return str(node.value)


def number(node: Node | None) -> int | None:
    """Return a scalar as an integer above 0; None if it is not one."""
    text = words(node)
    value = int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0  # noqa: PLR2004 - no window has as many digits
    return value or None


def line_of(node: Node) -> int:
    """Return the line on which a node begins, from 1."""
    return int(node.start_mark.line) + 1


def is_mapping(node: Node) -> bool:
    """Whether a node has keys."""
    return bool(node.id == "mapping")


def is_sequence(node: Node) -> bool:
    """Whether a node is a list."""
    return bool(node.id == "sequence")


def is_scalar(node: Node) -> bool:
    """Whether a node is one value."""
    return bool(node.id == "scalar")


def is_null(node: Node) -> bool:
    """Whether a node says that there is nothing."""
    return is_scalar(node) and str(node.tag).endswith(":null")


def is_flow(node: Node) -> bool:
    """Whether a list or a mapping is in flow style (brackets)."""
    return not is_scalar(node) and bool(node.flow_style)


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _reason(error: Exception) -> str:
    return str(getattr(error, "problem", None) or str(error).partition("\n")[0])
