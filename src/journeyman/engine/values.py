"""What goes into a delegation and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

Stage = Literal["reading", "waiting", "loading", "asking", "answering", "next-model", "item"]
Kind = Literal["interactive", "batch"]


@dataclass(frozen=True, slots=True)
class Session:
    """One connected client.

    `project` is the folder that relative references start from; `roots` are further folders that
    may be read; `name` is what the ledger calls it. `ask_roots` asks the client for its folders;
    it is called only when a reference is not found in those that are known. `keys` are the keys
    of its own environment, by the variable's name. `localize` rewrites a reference of a client that
    shares no disk with us, or refuses it; such a session sees no roots but its own.
    """

    project: Path
    roots: tuple[Path, ...] = ()
    name: str = ""
    ask_roots: Callable[[], Awaitable[tuple[Path, ...]]] | None = None
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    localize: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One bounded piece of work.

    Args:
        tool: the tool's name.
        arguments: the tool's own arguments by name.
        files: references.
        texts: further material by name, such as standard input.
        max_tokens: the longest answer, None for the tool's own limit.
        models: asked instead of the tool's list, where not empty.
        kind: batch work stands back behind questions.
        labels: the answer is one of these, where not empty.
        schema: the answer is JSON of this schema, where given.
        remember: whether an answer that was given before will do, and this one is kept.
    """

    tool: str
    arguments: Mapping[str, str]
    files: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    models: tuple[str, ...] = ()
    kind: Kind = "interactive"
    labels: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    remember: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a delegation stands; `tokens` counts the pieces of the reply so far.

    `done` of `of` steps are done, where there are several.
    """

    stage: Stage
    message: str
    tokens: int = 0
    done: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class Try:
    """One model that was asked, and why that came to nothing; `kind` is the error's class."""

    model: str
    kind: str
    message: str

    def __str__(self) -> str:
        return (
            self.message if self.message.startswith(self.model) else f"{self.model}: {self.message}"
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a delegation took; times in seconds, tokens as the server counted them.

    `first_token_seconds` counts from when the answering model was asked, `answering_seconds` from
    its first token to its last; `seconds` is all of it, failed tries and reading included.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_seconds: float | None = None
    answering_seconds: float | None = None
    seconds: float = 0.0
    bytes_read: int = 0
    bytes_returned: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer. `notes` are short remarks for the caller, such as files left out.

    `value` is the JSON of an answer by a schema; `confidence` is the margin between the two most
    probable labels, 0 to 1, None where it is not known; `known` tells that it was given before.
    """

    text: str
    model: str
    figures: Figures
    tries: tuple[Try, ...] = ()
    notes: tuple[str, ...] = ()
    value: Any = None
    confidence: float | None = None
    unsure: bool = False
    known: bool = False


@dataclass(frozen=True, slots=True)
class HandBack:
    """An honest "not done": every model that was tried, and why each came to nothing."""

    tool: str
    tries: tuple[Try, ...]
    figures: Figures
    hint: str = ""

    @property
    def reason(self) -> str:
        """The whole matter in a few lines, for the caller."""
        lines = [f"Not done: no model of {self.tool} gave an answer that passes the checks."]
        lines += [f"- {attempt}" for attempt in self.tries]
        if self.hint:
            lines.append(f"What may help: {self.hint}.")
        lines.append("Do this piece of work yourself.")
        return "\n".join(lines)


Outcome = Answer | HandBack


class Postponed(Exception):
    """The call cannot go on now and will be made again; nothing is recorded."""


def _ignore(_: object) -> None:
    """Take notice of nothing."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear of a delegation while it runs. Neither call may block.

    `progress` is told of each step; `text` is given the raw pieces of the reply as they come,
    the tags of thinking included.
    """

    progress: Callable[[Progress], None] = _ignore
    text: Callable[[str], None] = _ignore
