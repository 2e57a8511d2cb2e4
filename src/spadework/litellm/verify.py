"""Whether a changed file means what it meant before, and the additions, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spadework.litellm.yaml_document import is_mapping, is_null, is_scalar, is_sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.litellm.yaml_document import Node

Growth = dict[int, list[Any]]
"""The items, or pairs of key and value, to be added to a node of the original tree, by its id."""


def has_grown_as_wanted(before: Node | None, after: Node, growth: Growth) -> bool:
    """Compare a tree with the one before; anchors make no endless work.

    Args:
        before: the tree before.
        after: the tree after.
        growth: what was to be added, and where.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [(before, after)]
    while waiting:
        old, new = waiting.pop()
        if (id(old), id(new)) in seen:
            continue
        seen.add((id(old), id(new)))
        more = growth.get(id(old), [])
        if more and (old is None or is_null(old)):
            if _plain(new) != _wanted(more):
                return False
            continue
        if old is None or not _is_alike(old, new, more):
            return False
        waiting.extend(_pairs(old, new))
    return True


def _is_alike(old: Node, new: Node, more: list[Any]) -> bool:
    """Compare two nodes as far as it can be done without looking into what they hold."""
    if old.id != new.id or old.tag != new.tag or old.anchor != new.anchor:
        return False
    if is_scalar(old):
        return bool(old.value == new.value)
    return [_plain_part(part) for part in new.value[len(old.value) :]] == [
        _wanted_part(part) for part in more
    ] and len(new.value) == len(old.value) + len(more)


def _pairs(old: Node, new: Node) -> Iterator[tuple[Node, Node]]:
    if is_scalar(old):
        return
    for one, other in zip(old.value, new.value, strict=False):
        if is_mapping(old):
            yield from zip(one, other, strict=True)
        else:
            yield one, other


def _plain(node: Node) -> Any:
    """Return a node as data, every scalar as its text. It is one of ours: it has no aliases."""
    if is_mapping(node):
        return {key.value: _plain(value) for key, value in node.value}
    return [_plain(item) for item in node.value] if is_sequence(node) else node.value


def _plain_part(part: Any) -> Any:
    return (part[0].value, _plain(part[1])) if isinstance(part, tuple) else _plain(part)


def _wanted_part(part: Any) -> Any:
    return (part[0], _wanted(part[1])) if isinstance(part, tuple) else _wanted(part)


def _wanted(value: Any) -> Any:
    """Return data as `_plain` returns nodes; a list of pairs is a mapping."""
    if isinstance(value, dict):
        return {key: _wanted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) for one in value):
            return {key: _wanted(inner) for key, inner in value}
        return [_wanted(inner) for inner in value]
    return str(value)
