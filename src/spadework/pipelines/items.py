"""The input of a pipeline's functions and the results of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of a run's input.

    Args:
        number: its place in the input, from 1 on.
        name: what messages and results call it: the path as given, or the text's beginning.
        path: the absolute path, where it is a file.
        text: the text, where it is none: a line of standard input or of a JSONL file.
        data: the whole value, where it came from JSONL.
        private: it never goes to a cloud model.
    """

    number: int
    name: str
    path: str | None = None
    text: str | None = None
    data: Any = None
    private: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The item as references, for `ask(…, files=item.files)`."""
        return () if self.path is None else (self.path,)

    @property
    def texts(self) -> dict[str, str]:
        """The item as material by name, for `ask(…, texts=item.texts)`."""
        return {} if self.text is None else {"item": self.text}


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The result of one item; one line of the results.

    Args:
        number: the item's number.
        name: the item's name.
        value: what the pipeline's function returned, as JSON has it; None if it failed.
        error: why it failed, in one line; empty if it did not.
        models: who was asked for it, in order.
        cost_usd: what the Claude API charged for it.
        private: the item was marked private, and so is what was made of it.
        repeated: how many of its calls were in flight when a process died, and were made again.
    """

    number: int
    name: str
    value: Any = None
    error: str = ""
    models: tuple[str, ...] = ()
    cost_usd: float = 0.0
    private: bool = False
    repeated: int = 0

    @property
    def failed(self) -> bool:
        """Whether it failed, so that the value is missing."""
        return bool(self.error)


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of Claude, or of the local model that replaced it (`stood_in`).

    Args:
        text: the reply.
        model: who gave it; `backend/model` where a local model stood in.
        cost_usd: what it cost; 0 for a local model.
        input_tokens: what was read, cached or not.
        output_tokens: what was written.
        stood_in: a local model answered because Claude could not be asked; `note` says why.
        note: why a local model stood in.
    """

    text: str
    model: str
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    stood_in: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a run.

    Args:
        done: items that have a row, failed ones included.
        of: all items.
        failed: items that failed.
        repeated: calls that were in flight when a process died, and were made again.
        spent_usd: what the Claude API charged so far.
        budget_usd: the most that may be spent; None: no limit.
        per_model: answers by model since this process began.
        seconds: since this process began.
        seconds_left: about how long it will take; None where nothing tells.
        away: what is waited for, where a server is away.
    """

    done: int
    of: int
    failed: int
    repeated: int
    spent_usd: float
    budget_usd: float | None
    per_model: Mapping[str, int]
    seconds: float
    seconds_left: float | None
    away: str = ""
