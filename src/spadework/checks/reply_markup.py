"""The markup of replies: thinking, in whole replies and in streams, and fenced blocks.

Servers mark thinking in fields of their own (`reasoning_content`, `message.thinking`), which never
get here, or leave the model's tags in the text. A tag counts as thinking only where a model puts
it: an opening tag at the start of a line, outside of code. A closing tag with no opening one means
that the chat template had opened it, so everything before it is thinking; it counts only at the
start or at the end of a line. A tag that an answer merely speaks of, in the middle of a line or in
code, stays.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = r"think|thinking|thought|reasoning"
_OPEN = rf"(?:<(?:{_NAMES})>|\[THINK\])"
_CLOSE = rf"(?:</(?:{_NAMES})>|\[/THINK\])"
_TAGS = ("[think]", "[/think]", *(f"<{end}{n}>" for n in _NAMES.split("|") for end in ("", "/")))
_LONGEST_TAG = max(map(len, _TAGS))
_SECONDS_BETWEEN_SPLITS = 0.05

_CODE = r"(?P<code>^[ ]{0,3}(?P<fence>`{3,}|~{3,}).*?(?:^[ ]{0,3}(?P=fence)|\Z)|`[^`\n]+`)"
_TOKEN = re.compile(
    rf"{_CODE}|(?P<block>^[ \t]*{_OPEN}(?P<inner>.*?)(?:{_CLOSE}|\Z))"
    rf"|(?P<close>^[ \t]*{_CLOSE}|{_CLOSE}(?=[ \t]*\n))",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Split:
    """A reply in two: what is for the reader, and what the model thought before it.

    `stray` says that a closing tag without an opening one was taken for the end of the thinking.
    """

    visible: str
    thinking: str
    stray: bool = False


def split_thinking(reply: str) -> Split:
    """Tell the answer from the thinking in a whole reply. Unclosed thinking runs to the end."""
    if "<" not in reply and "[" not in reply:
        return Split(reply, "")
    visible: list[str] = []
    thinking: list[str] = []
    position = 0
    stray = False
    for token in _TOKEN.finditer(reply):
        if token["code"] is not None:
            continue
        before = reply[position : token.start()]
        position = token.end()
        if token["close"] is not None:
            thinking += [*visible, before]
            visible = []
            stray = True
        else:
            visible.append(before)
            thinking.append(token["inner"])
    visible.append(reply[position:])
    thought = "\n".join(part.strip() for part in thinking if part.strip())
    return Split("".join(visible), thought, stray)


@dataclass(slots=True)
class VisibleStream:
    """Follows a stream and tells, piece by piece, what a reader may already see.

    What could still turn out to be a tag is held back. Once a piece holds the beginning of one, the
    whole text so far is split anew, which takes longer the longer it is: so at most every
    `_SECONDS_BETWEEN_SPLITS`. A closing tag without an opening one takes back what was shown; the
    whole reply's `split_thinking` is always the last word.
    """

    clock: Callable[[], float] = time.monotonic
    _raw: list[str] = field(default_factory=list)
    _shown: str = ""
    _plain: bool = True
    _split_at: float = -_SECONDS_BETWEEN_SPLITS

    def feed(self, piece: str) -> str:
        """Take the next piece of the raw stream; return what can now be shown."""
        self._raw.append(piece)
        if self._plain and "<" not in piece and "[" not in piece:
            fresh = piece if self._shown else piece.lstrip()
            self._shown += fresh
            return fresh
        self._plain = False
        if self.clock() - self._split_at < _SECONDS_BETWEEN_SPLITS:
            return ""
        self._split_at = self.clock()
        raw = "".join(self._raw)
        return self._show(raw[: _settled_end(raw)])

    def finish(self) -> str:
        """Return what was held back and is not thinking."""
        return "" if self._plain else self._show("".join(self._raw))

    def _show(self, settled: str) -> str:
        visible = split_thinking(settled).visible.lstrip()
        fresh = visible[len(self._shown) :] if visible.startswith(self._shown) else ""
        self._shown = visible
        return fresh


def _settled_end(raw: str) -> int:
    """Where the text ends that no further piece can turn into a tag."""
    start = max(raw.rfind("<"), raw.rfind("["))
    if start < 0 or len(raw) - start > _LONGEST_TAG:
        return len(raw)
    begun = raw[start:].lower()
    return start if any(tag.startswith(begun) for tag in _TAGS) else len(raw)


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
