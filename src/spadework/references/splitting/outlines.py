"""The borders of a text by its kind: of code, of lines without a known grammar, of prose.

The grammar that the extra `code` brings for a language runs in a confined process: the parsers are
C and some take gigabytes for some texts (seen with 250 kB of quotation marks in one of them).
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from spadework.references.confined_process import Confined, ConfinedFailure, TooLong, TooSlow
from spadework.references.splitting.boundaries import MOST_BORDERS, Border, Outline

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRA = "code"
PROSE = frozenset(
    {".adoc", ".htm", ".html", ".markdown", ".md", ".mdx", ".org", ".rst", ".tex", ".txt"}
)
PROSE_NAMES = frozenset({"authors", "changelog", "contributing", "license", "notice", "readme"})
_SUFFIXES = """
bash: .bash .sh; c: .c; cpp: .cc .cpp .cxx .h .hpp; csharp: .cs; css: .css; dart: .dart; elixir:
.ex .exs; go: .go; haskell: .hs; java: .java; javascript: .js .jsx .mjs; julia: .jl; kotlin: .kt;
lua: .lua; perl: .pl; php: .php; proto: .proto; python: .py .pyi; r: .r; ruby: .rb; rust: .rs;
scala: .scala; sql: .sql; swift: .swift; terraform: .tf; tsx: .tsx; typescript: .ts; zig: .zig
"""
GRAMMARS = {
    suffix: grammar.strip()
    for grammar, suffixes in (row.split(":") for row in _SUFFIXES.split(";"))
    for suffix in suffixes.split()
}


def is_prose(path: str) -> bool:
    """Whether a file of this name holds prose."""
    name = PurePath(path.lower())
    return name.suffix in PROSE or name.name in PROSE_NAMES


def grammar_of(path: str) -> str | None:
    """The grammar of a file by its suffix, if it is known and installed."""
    name = GRAMMARS.get(PurePath(path).suffix.lower())
    installed = name and importlib.util.find_spec("tree_sitter_language_pack")
    return name if installed else None


CHILD = "spadework.references.splitting.grammar_child"
MEMORY = 1 << 30  # bytes of address space
LONGEST = 64 << 20  # bytes of what the process replies
SECONDS = 20.0
LEVEL_OF_CODE = 0.15  # what a level of nesting costs
DEEPEST = 2
NAMELESS = 0.05  # what a statement costs more than a definition


def code_outline(text: str, grammar: str) -> Outline | None:
    """Find where definitions and statements begin; None if the parser does not get through."""
    try:
        with Confined(CHILD, LONGEST, MEMORY) as process:
            reply = process.ask(grammar, text.encode(errors="replace"), SECONDS)
    except (ConfinedFailure, TooLong, TooSlow):
        return None
    starts = _line_starts(text)
    borders = []
    for row, depth, last_row, name in json.loads(reply):
        at = starts[row]
        cost = LEVEL_OF_CODE * min(depth, DEEPEST) + (0.0 if name else NAMELESS)
        until = starts[last_row + 1] if name else at
        borders.append(Border(at, cost, until, at, name))
    return Outline("code", tuple(borders))


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


# A line that is not indented, behind a blank one: in most languages a new thing begins there.
UNINDENTED = re.compile(r"\n[ \t]*\n(?=[^\s})\]])")
PATCHES = re.compile(
    r"^(?:diff --git a/(?P<name>\S+)|commit (?P<commit>[0-9a-f]{7,40}))", re.MULTILINE
)
COST = 0.1


def line_outline(text: str) -> Outline:
    """Find the lines that stand at the margin behind a blank one."""
    places = [match.end() for match in islice(UNINDENTED.finditer(text), MOST_BORDERS)]
    return Outline("lines", tuple(Border(at, COST, at, at) for at in places))


def patch_outline(text: str) -> Outline:
    """Find the files and the commits of what git shows."""
    found = list(islice(PATCHES.finditer(text), MOST_BORDERS))
    ends = [*(match.start() for match in found[1:]), len(text)][: len(found)]
    borders = tuple(
        Border(match.start(), 0.0, end, match.start(), match["name"] or match["commit"])
        for match, end in zip(found, ends, strict=True)
    )
    return Outline("lines", borders)


# A fence, a heading behind number signs, a heading that is underlined (as in reStructuredText too).
LINES = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*"
    r"|^ {0,3}(?P<level>#{1,6})[ \t]+(?P<name>[^\n]*?)[ \t#]*$"
    r"|^(?P<above>[^\s\n][^\n]{0,200})\n(?P<line>=|-|~)(?P=line){2,}[ \t]*$",
    re.MULTILINE,
)
UNDERLINES = "=-~"
LEVEL_OF_PROSE = 0.03  # what a level costs more than the one above
BLANKS = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class _Heading:
    at: int
    end: int
    level: int
    name: str


def prose_outline(text: str) -> Outline:
    """Find the headings; each holds to the next one of its level or above."""
    found: list[Border] = []
    open_ones: list[tuple[int, int]] = []  # level, index in found
    for heading in islice(_headings(text), MOST_BORDERS):
        while open_ones and open_ones[-1][0] >= heading.level:
            _, index = open_ones.pop()
            found[index] = replace(found[index], until=heading.at)
        blanks = BLANKS.match(text, heading.end)
        body = blanks.end() if blanks else heading.end
        open_ones.append((heading.level, len(found)))
        cost = LEVEL_OF_PROSE * (heading.level - 1)
        found.append(Border(heading.at, cost, len(text), body, heading.name))
    return Outline("prose", tuple(found), " > ")


def _headings(text: str) -> Iterator[_Heading]:
    fence = ""
    for match in LINES.finditer(text):
        if mark := match["fence"]:
            if not fence:
                fence = mark
            elif mark.startswith(fence):
                fence = ""
        elif fence:
            continue
        elif match["level"]:
            yield _Heading(match.start(), match.end(), len(match["level"]), match["name"])
        else:
            level = UNDERLINES.index(match["line"]) + 1
            yield _Heading(match.start(), match.end(), level, match["above"].strip())
