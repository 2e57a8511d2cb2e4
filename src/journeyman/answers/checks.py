"""A reply is an answer only once it has passed these checks; each failure has its own name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.answers.cleaning import clean
from journeyman.answers.thinking import split_thinking
from journeyman.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

# A server's count may differ a little from ours, by how it counts its template; who cuts an input
# cuts more than that.
_LEAST_SHARE_READ = 0.9
_TOKENS_OF_A_TEMPLATE = 32


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from a model, before any judgement.

    `expected_tokens` is the least that the prompt can have, by the model's own tokenizer if it
    counted (`expected_source` says so); `prompt_tokens` is the server's word, None if it gave none.
    """

    text: str
    finish: str
    max_tokens: int
    had_thinking: bool
    prompt_tokens: int | None
    expected_tokens: int
    expected_source: str


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer's text, and what the caller should know about how it was come by."""

    text: str
    notes: tuple[str, ...] = ()


def check_reply(reply: Reply, *, labels: Sequence[str] = ()) -> Checked:
    """Turn a reply into an answer.

    Raises:
        CheckFailed: named "silent-truncation", "cut-off", "unfinished", "empty" or "label".
    """
    _check_truncation(reply)
    split = split_thinking(reply.text)
    text, hidden_removed = clean(split.visible)
    text = text.strip()
    only_thinking = reply.had_thinking or bool(split.thinking)
    # A grammar lets a model go on with blanks after the closing quote: the label is whole.
    if reply.finish == "length" and _json_string(text) not in labels:
        raise CheckFailed(
            "cut-off",
            f"the answer was cut off at {reply.max_tokens} tokens"
            + (", while still thinking" if only_thinking and not text else ""),
            hint="ask for something shorter, or pass a larger max_tokens",
        )
    if reply.finish not in {"stop", "length"}:
        raise CheckFailed(
            "unfinished", f"the model ended with {reply.finish!r} instead of an answer"
        )
    if not text:
        raise CheckFailed(
            "empty", "only thinking came, no answer" if only_thinking else "empty answer"
        )
    if labels:
        text = _check_label(text, labels)
    notes = []
    if hidden_removed:
        notes.append(f"{hidden_removed} hidden characters were removed")
    if split.stray:
        notes.append("what stood before a closing tag of thinking was taken for thinking")
    return Checked(text, tuple(notes))


def _check_truncation(reply: Reply) -> None:
    """Hold the server's count of the prompt against ours: much less means that input was cut."""
    if not reply.prompt_tokens:
        return
    missing = reply.expected_tokens - reply.prompt_tokens
    if missing > max(_TOKENS_OF_A_TEMPLATE, reply.expected_tokens * (1 - _LEAST_SHARE_READ)):
        raise CheckFailed(
            "silent-truncation",
            f"the server read {reply.prompt_tokens} tokens of a prompt of at least "
            f"{reply.expected_tokens} ({reply.expected_source}): it cut the input without a word",
            hint="raise the context window of that model, or give it less",
        )


def _check_label(text: str, labels: Sequence[str]) -> str:
    """Return the label as the config writes it."""
    said = _json_string(text) or text
    for label in labels:
        if _bare(label) == _bare(said):
            return label
    short = said if len(said) <= 60 else said[:60] + "…"  # noqa: PLR2004 - fits in the one line
    raise CheckFailed("label", f"{short!r} is none of the labels {', '.join(labels)}")


def _bare(label: str) -> str:
    """A label without what models put around it."""
    return label.strip().strip("\"'`*.").strip().casefold()


def _json_string(text: str) -> str | None:
    """Decode a text that is a whole JSON string; None for anything else."""
    try:
        decoded = json.loads(text)
    except ValueError:
        return None
    return decoded if isinstance(decoded, str) else None


def label_schema(labels: Sequence[str]) -> dict[str, object] | None:
    """Return the JSON Schema that holds a model to the labels; None without labels."""
    return {"type": "string", "enum": list(labels)} if labels else None
