"""The input of a question to many items and its results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spadework.config.call_arguments import CallArguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.references.material import LeftOut


@dataclass(frozen=True, slots=True)
class EachJob(CallArguments):
    """One question, many items: every file that `files` stand for is one.

    Args:
        tool: the tool's name.
        arguments: the tool's own arguments by name.
        items: texts; each is an item.
        models: asked instead of the tool's list, where not empty.
        fresh: ask anew what was answered before.
        private: only local models may see any of it.
    """

    tool: str
    arguments: Mapping[str, str]
    items: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    fresh: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One thing that is asked about: `name` is how the table calls it.

    `reference` is read by the engine; an item without one is the text itself.
    """

    number: int
    name: str
    reference: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one item.

    `answer` is a text, or JSON where the job has a schema; None where there is none, and then
    `error` says why in a line. `unsure` marks a label below the tool's threshold: the answer is
    then "unsure", and `note` says which label was the most probable. `known` tells that it was
    answered before and not asked anew. `note` may also warn that the answer speaks to its reader.
    `reference` tells that the item is a file's name.
    """

    number: int
    item: str
    answer: Any = None
    error: str = ""
    model: str = ""
    confidence: float | None = None
    unsure: bool = False
    note: str = ""
    known: bool = False
    bytes_read: int = 0
    reference: bool = False

    @property
    def failed(self) -> bool:
        """Whether it failed, so that the answer is missing."""
        return bool(self.error)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of all items in their order; `left_out` are files that are never read."""

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows without an answer."""
        return tuple(row for row in self.rows if row.failed)

    @property
    def unsure(self) -> tuple[Row, ...]:
        """The rows whose label is not sure enough."""
        return tuple(row for row in self.rows if row.unsure)

    @property
    def known(self) -> int:
        """How many were answered before."""
        return sum(row.known for row in self.rows)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that answered, the busiest first."""
        counts = Counter(row.model for row in self.rows if row.model)
        return tuple(model for model, _ in counts.most_common())

    @property
    def bytes_read(self) -> int:
        """What was read by reference, in bytes."""
        return sum(row.bytes_read for row in self.rows)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far it is: `failed` of the `done` have no answer; `left` is in seconds, None at first."""

    done: int
    of: int
    failed: int = 0
    left: float | None = None
    models: tuple[str, ...] = field(default=())
    away: str = ""
    """What is waited for, where a server is away."""

    def __str__(self) -> str:
        parts = [f"{self.done} of {self.of}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.away:
            parts.append(self.away)
        elif self.left is not None and self.done < self.of:
            parts.append(f"about {self.left:.0f} s left")
        return ", ".join(parts)
