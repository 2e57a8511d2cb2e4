"""The confined process that finds definitions: from a program to the rows where things begin."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from spadework.references.sandbox import serve
from spadework.references.splitting.boundaries import MOST_BORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from spadework.references.sandbox import Work

PIECE = 1 << 20  # bytes that are parsed at once
DEEPEST = 4
SHALLOW = 2  # down to here a single line is a border too
# A line of these belongs to what follows it.
LEADING = re.compile(r"comment|attribute_item|decorator$|annotation$")
# These only stand around a definition.
AROUND = frozenset({"decorated_definition", "export_statement"})
DEFINITION = re.compile(
    r"class|constructor|contract|decl|def|enum|export|extension|function|impl|interface|item|macro"
    r"|message|method|module|namespace|object|protocol|service|struct|sub|trait|type"
)
FIELDS_OF_NAMES = ("name", "declarator", "type")
WRAPPED = ("definition", "declaration", "declarator")
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class _Pending:
    node: Node
    depth: int


def outlines() -> Work:
    """What answers: the word is the grammar's name, the text a list of rows as JSON."""
    from tree_sitter_language_pack import get_parser  # noqa: PLC0415 - it may print while it is imported

    def outline(grammar: str, data: bytes) -> str:
        parser = get_parser(cast("Any", grammar))
        rows: list[tuple[int, int, int, str]] = []
        above = 0
        for piece in _pieces(data):
            lines = piece.split(b"\n")
            tree = parser.parse(piece)
            for row, depth, last, name in _rows(tree.root_node, lines):
                rows.append((row + above, depth, last + above, name))
            above += piece.count(b"\n")
        return json.dumps(rows[:MOST_BORDERS])

    return outline


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut a long program where a line begins at the margin, else at any line."""
    start = 0
    while len(data) - start > PIECE:
        window = data[start : start + PIECE]
        cuts = [match.start() + 1 for match in re.finditer(rb"\n(?=[^\s})\]])", window)]
        cut = cuts[-1] if cuts else window.rfind(b"\n") + 1
        if not cut:
            return  # a line of a megabyte: no human wrote it
        yield window[:cut]
        start += cut
    yield data[start:]


def _rows(root: Node, lines: list[bytes]) -> list[tuple[int, int, int, str]]:
    """Where what begins a line stands, the outermost of each line: row, depth, last row, name."""
    found: dict[int, tuple[int, int, int, str]] = {}
    pending = [_Pending(root, 0)]
    while pending:
        above = pending.pop()
        leading: int | None = None
        last_end = -2
        inner: list[_Pending] = []
        for node in above.node.named_children:
            row, column = node.start_point
            end = node.end_point[0]
            if LEADING.search(node.type):
                if leading is None or row > last_end + 1:
                    leading = row
                last_end = end
                continue
            begin = leading if leading is not None and row <= last_end + 1 else row
            leading = None
            begins_line = not lines[row][:column].strip()
            is_border = (
                above.node.type not in AROUND
                and begins_line
                and (end > row or above.depth < SHALLOW)
            )
            if is_border:
                found.setdefault(begin, (begin, above.depth, end, _name(node)))
            if end > row and above.depth < DEEPEST:
                inner.append(_Pending(node, above.depth + is_border))
        pending += reversed(inner)
    return [found[row] for row in sorted(found)]


def _name(node: Any) -> str:
    """The name of a definition; empty for anything else."""
    for _ in range(4):
        if not DEFINITION.search(node.type):
            return ""
        for field in FIELDS_OF_NAMES:
            named = node.child_by_field_name(field)
            if named is not None and not named.named_children and field != "type":
                return _text(named)
        inner = next(filter(None, map(node.child_by_field_name, WRAPPED)), None)
        if inner is None:
            named = node.child_by_field_name("type") or node.child_by_field_name("name")
            return _text(named) if named is not None else ""
        node = inner
    return ""


def _text(node: Any) -> str:
    return " ".join(node.text.decode(errors="replace").split())[:LONGEST_NAME]


if __name__ == "__main__":
    serve(outlines)
