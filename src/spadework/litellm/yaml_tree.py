"""A YAML text as ruamel.yaml's tree, with comments, quotes, and the spelling of each scalar.

Importing it takes 60 ms, so only what writes YAML imports it, when it does.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import CommentMark
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.tokens import CommentToken

Path = tuple[str | int, ...]
Comments = dict[Path, str]
"""Comments by the keys, and places in lists, that lead to the line that they stand behind."""

_VERSION = "%YAML 1.1\n---"
_NULL = "tag:yaml.org,2002:null"


class _PlainScalar(str):
    """A scalar without quotes that is not a text, as it is spelled."""

    __slots__ = ("tag",)
    tag: str


@dataclass(frozen=True, slots=True)
class Indentation:
    """Columns from a key to the keys below it, to the items below it, and to their dashes."""

    mapping: int = 2
    item: int = 4
    dash: int = 2


class _Constructor(RoundTripConstructor):
    """Keeps the spelling of numbers and the like."""

    def construct_plain(self, node: Any) -> _PlainScalar:
        scalar = _PlainScalar(node.value)
        scalar.tag = str(node.tag)
        return scalar


class _Representer(RoundTripRepresenter):
    """Keeps that spelling, and anchors that nothing refers to."""

    def represent_plain(self, scalar: _PlainScalar) -> Any:
        return ScalarNode(scalar.tag, str(scalar), style=None)

    def represent_mapping(self, tag: Any, mapping: Any, flow_style: Any = None) -> Any:
        self._keep_anchor(mapping)
        return super().represent_mapping(tag, mapping, flow_style)

    def represent_sequence(self, tag: Any, sequence: Any, flow_style: Any = None) -> Any:
        self._keep_anchor(sequence)
        return super().represent_sequence(tag, sequence, flow_style)

    @staticmethod
    def _keep_anchor(node: Any) -> None:
        if hasattr(node, "yaml_anchor") and (anchor := node.yaml_anchor()):
            anchor.always_dump = True


for _kind in ("bool", "int", "float", "timestamp", "null"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", _Constructor.construct_plain)
_Representer.add_representer(_PlainScalar, _Representer.represent_plain)


def load(text: str) -> Any:
    """Read a text into a tree."""
    return _yaml(Indentation()).load(text)


def dump(tree: Any, indentation: Indentation) -> str:
    """Write a tree as text."""
    out = io.StringIO()
    _yaml(indentation).dump(tree, out)
    return out.getvalue().removeprefix(_VERSION)[1:].removesuffix("...\n")


def _yaml(indentation: Indentation) -> Any:
    made: Any = YAML(typ="rt")
    made.Constructor, made.Representer = _Constructor, _Representer
    made.version = (1, 1)  # as LiteLLM reads it
    made.preserve_quotes = True
    made.width = 1_000_000
    made.brace_single_entry_mapping_in_flow_sequence = True
    made.indent(mapping=indentation.mapping, sequence=indentation.item, offset=indentation.dash)
    return made


def add(tree: Any, path: Path, value: Any, comments: Comments) -> None:
    """Add keys to the mapping at a path, or items to the list; see `RoundTrip.add`."""
    *above, key = path
    for one in above:
        tree = tree[one]
    there = tree.get(key)
    if there is None or getattr(there, "tag", None) == _NULL or not there:
        if not tree:
            tree.fa.set_block_style()
        tail = _take(tree, key) if key in tree else _take(tree)
        if not above and key not in tree:
            _give(tree, "\n")
        tree[key] = commented(value, {} if tree.fa.flow_style() else comments)
        _give(tree, tail)
        return
    tail = _take(there)
    new = commented(value, {} if there.fa.flow_style() else comments)
    if isinstance(value, Mapping):
        for name, inner in new.items():
            there[name] = inner
        there.ca.items.update(new.ca.items)
    else:
        there.extend(new)
    _give(there, tail)


def _take(tree: Any, last: Any = None) -> str:
    """Take the comment lines and blank lines out that follow a node, but for those indented."""
    node, key, place = _last_comment(tree, last)
    slots = node.ca.items.get(key)
    if not slots or slots[place] is None:
        return ""
    token = slots[place]
    first, _, rest = token.value.partition("\n")
    lines = rest.splitlines(keepends=True)
    count = next((n for n, line in enumerate(lines) if not re.match(r"[ \t]+#", line)), len(lines))
    token.value = f"{first}\n{''.join(lines[:count])}"
    if token.value == "\n":
        slots[place] = None
    return "".join(lines[count:])


def _give(tree: Any, lines: str) -> None:
    """Put comment lines and blank lines behind a node."""
    node, key, place = _last_comment(tree)
    if not lines or key is None or "\n" in str(node[key]):
        return  # a text of several lines has the blank ones behind it
    slots = node.ca.items.setdefault(key, [None] * 4 if place else [None] * 2)
    if slots[place] is None:
        slots[place] = CommentToken("\n", CommentMark(0), None)
    token = slots[place]
    token.value = token.value.rstrip("\n") + "\n" + lines


def _last_comment(tree: Any, last: Any = None) -> tuple[Any, Any, int]:
    """Find the place of the comment behind the last scalar, or the last brackets, of a node."""
    while True:
        if last is None:
            last = next(reversed(tree), None) if isinstance(tree, dict) else len(tree) - 1
        inner = None if last is None else tree[last]
        if not inner or not hasattr(inner, "ca") or inner.fa.flow_style():
            return tree, last, 2 if isinstance(tree, dict) else 0
        tree, last = inner, None


def commented(value: Any, comments: Comments) -> Any:
    """Turn data into a tree in lines, with comments."""

    def below(key: str | int) -> Comments:
        return {path[1:]: text for path, text in comments.items() if path[0] == key and path[1:]}

    if isinstance(value, Mapping):
        node = CommentedMap((key, commented(inner, below(key))) for key, inner in value.items())
        for path, text in comments.items():
            if len(path) == 1:
                node.yaml_add_eol_comment(text, path[0], column=0)
        return node
    if isinstance(value, list):
        return CommentedSeq(commented(inner, below(n)) for n, inner in enumerate(value))
    return value
