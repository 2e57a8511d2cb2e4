"""A reply is an answer only once it has passed these checks; each failure has its own name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerRequirements, ValidatedReply
from spadework.checks.labels import json_string, label_of, margin
from spadework.checks.non_answers import check_loop
from spadework.checks.prompt_injection import note_prompt_injection
from spadework.checks.reply_markup import split_thinking
from spadework.checks.structured_output import compact, structured, texts_of
from spadework.errors import CheckFailed
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import server_wrote

if TYPE_CHECKING:
    from spadework.backends.base import TokenChoice
    from spadework.checks.answer_check import AnswerCheck
    from spadework.checks.reply_markup import Split

# The files of the checks of an answer's content, in the order in which they are made.
_FILES = (
    "non_answers",
    "language",
    "code_syntax",
    "grounding",
    "extraction",
)
CHECKS: tuple[AnswerCheck, ...] = tuple(
    check for file in _FILES for check in import_module(f"{__package__}.{file}").CHECKS
)
REPAIRABLE = frozenset({"label", "json", "schema"} | {one.name for one in CHECKS if one.repairable})
"""Checks whose message tells the same model what to repair."""
VERSION = " ".join(["rules=3", *(f"{one.name}={one.version}" for one in CHECKS)])
"""Of all checks, those in this file included: answers that passed others are asked anew."""

# A server's count may differ a little from ours, by how it counts its template; who cuts an input
# cuts more than that.
_LEAST_SHARE_READ = 0.9
_TOKENS_OF_A_TEMPLATE = 32


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What came back from a model, before any judgement.

    `expected_tokens` is the least that the prompt can have, by the model's own tokenizer if it
    counted (`expected_source` says so); `prompt_tokens` is the server's word, None if it gave none.
    `tokens` are those of the text, where the server told their probabilities.
    """

    text: str
    finish: str
    max_tokens: int
    had_thinking: bool
    prompt_tokens: int | None
    expected_tokens: int
    expected_source: str
    tokens: tuple[TokenChoice, ...] = ()


def check_reply(
    reply: ModelReply, requirements: AnswerRequirements | None = None
) -> ValidatedReply:
    """Turn a reply into an answer.

    Raises:
        CheckFailed: its `check` is one of the names in docs/answers.md.
    """
    requirements = requirements or AnswerRequirements()
    read = _check_truncation(reply)
    split = split_thinking(reply.text)
    text, hidden = clean(split.visible)
    text = text.strip()
    _check_ending(reply, split, text, requirements)
    answer = ValidatedReply(text, checks=(*read, "cut-off", "unfinished", "empty"))
    answer = _checked("reply", answer, requirements)
    if requirements.labels:
        answer = _labelled(reply, answer, requirements)
    elif requirements.schema is not None:
        value, more = structured(text, requirements.schema)
        hidden += more
        answer = replace(answer, text=compact(value), value=value).passing("json", "schema")
        answer = _checked("json", answer, requirements)
    else:
        answer = _checked("prose", answer, requirements)
    notes = [*answer.notes, *_notes(split, hidden)]
    if not requirements.labels and (note := _address(answer)):
        notes.insert(0, note)
    return replace(answer, notes=tuple(notes))


def _checked(of: str, answer: ValidatedReply, requirements: AnswerRequirements) -> ValidatedReply:
    for check in CHECKS if requirements.content else ():
        if check.of == of:
            answer = check.run(answer, requirements)
    return answer


def _check_truncation(reply: ModelReply) -> tuple[str, ...]:
    """Hold the server's count of the prompt against ours: much less means that input was cut."""
    if not reply.prompt_tokens:
        return ()
    missing = reply.expected_tokens - reply.prompt_tokens
    if missing > max(_TOKENS_OF_A_TEMPLATE, reply.expected_tokens * (1 - _LEAST_SHARE_READ)):
        raise CheckFailed(
            "silent-truncation",
            f"the server read {reply.prompt_tokens} tokens of a prompt of at least "
            f"{reply.expected_tokens} ({reply.expected_source}): "
            "it truncated the prompt without reporting it",
            hint="raise the context window of that model, or give it less",
        )
    return ("silent-truncation",)


def _check_ending(
    reply: ModelReply, split: Split, text: str, requirements: AnswerRequirements
) -> None:
    only_thinking = reply.had_thinking or bool(split.thinking)
    if reply.finish == "length" and not _is_whole(text, requirements):
        if requirements.content:
            # The better reason, since a larger limit does not help.
            check_loop(ValidatedReply(text), requirements)
        raise CheckFailed(
            "cut-off",
            f"the answer was cut off at {reply.max_tokens} tokens"
            + (", while still thinking" if only_thinking and not text else ""),
            hint="ask for something shorter, or pass a larger max_tokens",
        )
    if reply.finish not in {"stop", "length"}:
        raise CheckFailed(
            "unfinished",
            f"the model ended in another way than with an answer; {server_wrote(reply.finish)}",
        )
    if not text:
        raise CheckFailed(
            "empty", "only thinking came, no answer" if only_thinking else "empty answer"
        )


def _is_whole(text: str, requirements: AnswerRequirements) -> bool:
    """A grammar lets a model go on with blanks after the end: what stands there may be whole."""
    if requirements.labels:
        return json_string(text) in requirements.labels
    if requirements.schema is None:
        return False
    try:
        structured(text, requirements.schema)
    except CheckFailed:
        return False
    return True


def _labelled(
    reply: ModelReply, answer: ValidatedReply, requirements: AnswerRequirements
) -> ValidatedReply:
    label = label_of(answer.text, requirements.labels)
    sure = margin(reply.tokens, answer.text, label, requirements.labels)
    return replace(answer, text=label, confidence=sure).passing("label")


def _address(found: ValidatedReply) -> str:
    """Look at all that the caller will read of an answer: of JSON at every key and text."""
    texts = [found.text] if found.value is None else texts_of(found.value)
    return next(filter(None, map(note_prompt_injection, texts)), "")


def _notes(split: Split, hidden: int) -> list[str]:
    notes = []
    if hidden:
        notes.append(f"{hidden} hidden characters were removed")
    if split.stray:
        notes.append("what stood before a closing tag of thinking was taken for thinking")
    return notes
