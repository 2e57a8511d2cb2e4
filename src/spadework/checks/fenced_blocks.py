"""The fenced blocks of a Markdown text, found in one pass."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"[ ]{0,3}(?P<mark>`{3,}+|~{3,}+)[ ]*+(?P<tag>[\w+#.-]*+)(?P<rest>[^\n]*+)\n?")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block: where it is in the text, its language's tag, what is in it.

    One that is not closed runs to the end of the text, as Markdown has it.
    """

    start: int
    end: int
    tag: str
    code: str
    closed: bool


def fences_of(text: str) -> list[Fence]:
    """Find the fenced blocks of a text, in order."""
    found: list[Fence] = []
    opened: re.Match[str] | None = None
    place = 0
    for line in text.splitlines(keepends=True) if "```" in text or "~~~" in text else ():
        fence = _FENCE.fullmatch(line)
        if fence and opened is None:
            if not ("`" in fence["rest"] and fence["mark"][0] == "`"):
                opened, start, inside = fence, place, place + len(line)
        elif fence and opened and _closes(fence, opened):
            end = place + len(line.rstrip("\n"))
            found.append(Fence(start, end, opened["tag"], text[inside:place], closed=True))
            opened = None
        place += len(line)
    if opened is not None:
        found.append(Fence(start, len(text), opened["tag"], text[inside:], closed=False))
    return found


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    return not (fence["tag"] or fence["rest"].strip()) and fence["mark"].startswith(opened["mark"])
