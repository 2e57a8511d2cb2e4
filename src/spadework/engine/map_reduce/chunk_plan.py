"""Plans how long material is split and merged, before the first call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.engine.hand_back_reasons import TOO_LONG, TOO_MANY_PARTS
from spadework.engine.job import Attempt
from spadework.references.material import Source
from spadework.references.splitting import split
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spadework.engine.delegation_context import DelegationContext
    from spadework.engine.prompt_messages import PreparedJob
    from spadework.references.splitting import Part
    from spadework.storage.ledger import Pace

_SHARE_OF_NOTES = 6
"""Notes on a part take at most one sixth of the window, so that several fit into the next one."""
_LEAST_NOTES = 96
_LEAST_PARTS_OF_NOTES = 2
"""Material of a call takes at least so many notes, so that merging them comes to an end."""
_KILOBYTE = 1000
_SHORTEST_ANSWER = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """How a context window is divided, in tokens: the material of a call, and its notes."""

    material: int
    notes: int


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """The parts and who reads them; `seconds` is None where no pace of the model is known."""

    model: str
    sizes: Sizes
    files: int
    bytes: int
    parts: tuple[tuple[Part, ...], ...]
    seconds: float | None = None

    def __str__(self) -> str:
        files = f"{self.files} file{'' if self.files == 1 else 's'}"
        parts = f"{len(self.parts)} part{'' if len(self.parts) == 1 else 's'}"
        about = f", about {self.seconds:.0f} s" if self.seconds is not None else ""
        return f"{files}, {_kilobytes(self.bytes)}, {parts}{about} on {display_name(self.model)}"


def share_out(window: int, around: int) -> Sizes | None:
    """Share a window out.

    Args:
        window: the window in tokens, prompt and reply together.
        around: what the prompt takes around the material, in tokens.

    Returns:
        None where nothing worth a call would be left for the material.
    """
    notes = max(_LEAST_NOTES, window // _SHARE_OF_NOTES)
    material = window - around - notes
    if material < _LEAST_PARTS_OF_NOTES * notes:
        return None
    return Sizes(material, notes)


def make_parts(
    sources: Sequence[Source], size: int, count: Callable[[str], int]
) -> tuple[tuple[Part, ...], ...]:
    """Split the sources, and put neighbours together that fit into one call.

    Args:
        sources: the material in order.
        size: tokens of material in one call.
        count: counts the tokens of a text as the prompt will hold it.
    """
    groups: list[tuple[Part, ...]] = []
    group: list[Part] = []
    taken = 0
    for part in (part for source in sources for part in split(source, size, count)):
        tokens = count(part.text)
        if group and taken + tokens > size:
            groups.append(tuple(group))
            group, taken = [], 0
        group.append(part)
        taken += tokens
    if group:
        groups.append(tuple(group))
    return tuple(groups)


def estimate_seconds(tokens: int, plan_parts: int, sizes: Sizes, slots: int, pace: Pace) -> float:
    """Guess how long reading all parts takes, and the answer from the notes.

    Args:
        tokens: tokens of all the material.
        plan_parts: how many parts there are.
        sizes: how the window is shared out.
        slots: how many parts are read at once.
        pace: what the model did so far.
    """
    reading = tokens / pace.read
    writing = plan_parts * sizes.notes / 2 / pace.written  # notes are seldom as long as they may be
    merging = plan_parts * sizes.notes / 2 / pace.read
    return (reading + writing) / max(1, min(slots, plan_parts)) + merging


def density(counted: Sequence[tuple[int, int]], *, exact: bool) -> float:
    """Tokens for each character, from samples of a number of tokens and of characters.

    The densest sample counts, with a margin: a part that does not fit costs a call.
    """
    margin = 1.08 if exact else 1.3
    return margin * max(tokens / max(1, characters) for tokens, characters in counted)


def counter(tokens_per_character: float) -> Callable[[str], int]:
    """Return what counts the tokens of a text by its length."""
    return lambda text: math.ceil(len(text) * tokens_per_character)


def _kilobytes(size: int) -> str:
    return f"{size / _KILOBYTE:.0f} KB" if size >= _KILOBYTE else f"{size} bytes"


def sources_of(context: DelegationContext, work: PreparedJob) -> tuple[tuple[str, Source], ...]:
    """The files, and further texts as if they were files, by their paths."""
    texts = (as_source(name, text) for name, text in context.job.texts.items())
    return tuple((one.path, one) for one in (*work.material.sources, *texts) if one.text)


def as_source(name: str, text: str) -> Source:
    """Present a text as if it were a file."""
    lines = text.count("\n") + (not text.endswith("\n"))
    return Source(name, text, 1, lines, lines, len(text.encode(errors="replace")), "utf-8", False)


def plan_refusal(plan: ChunkPlan, context: DelegationContext) -> tuple[Attempt, str] | None:
    """Say why a plan is not begun; None if it is."""
    most = context.tool.config.max_parts
    hint = "name fewer files, or line ranges such as path:1-200"
    if len(plan.parts) > most:
        said = f"that is {plan}; at most {most} parts are read"
        return Attempt(plan.model, TOO_MANY_PARTS, said), f"{hint}; or raise the tool's max_parts"
    left = context.seconds_left()
    if plan.seconds is not None and plan.seconds > left:
        said = f"that is {plan}; {left:.0f} s are left for the call"
        return Attempt(plan.model, TOO_LONG, said), f"{hint}; or raise the tool's deadline"
    return None


def answer_tokens(context: DelegationContext, window: int) -> int:
    """What is kept free for the answer from the notes."""
    wanted = context.max_tokens
    return max(_SHORTEST_ANSWER, min(wanted, window // 3))
