"""The definitions of a program, by its grammar, found in a confined process.

The parsers are C and some take gigabytes for some texts (seen with 250 kB of quotation marks in one
of the grammars), so none runs in the process of the engine.
"""

from __future__ import annotations

import json

from spadework.references.confined_process import Confined, ConfinedFailure, TooLong, TooSlow
from spadework.references.splitting.boundaries import Border, Outline

CHILD = "spadework.references.splitting.grammar_child"
MEMORY = 1 << 30  # bytes of address space
LONGEST = 64 << 20  # bytes of what the process replies
SECONDS = 20.0
STEP = 0.15  # what a level of nesting costs
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
        cost = STEP * min(depth, DEEPEST) + (0.0 if name else NAMELESS)
        until = starts[last_row + 1] if name else at
        borders.append(Border(at, cost, until, at, name))
    return Outline("code", tuple(borders))


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts
