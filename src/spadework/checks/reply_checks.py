"""A reply is an answer only once it has passed these checks; each failure has its own name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spadework.checks.code_syntax import check_code
from spadework.checks.extraction import check_extraction
from spadework.checks.grounding import ground
from spadework.checks.grounding_context import GroundingContext
from spadework.checks.labels import json_string, label_of, margin
from spadework.checks.language import check_language
from spadework.checks.prompt_injection import note_prompt_injection
from spadework.checks.refusal import check_refusal
from spadework.checks.repetition import check_echo, check_loop
from spadework.checks.structured_output import compact, structured, texts_of
from spadework.checks.thinking import split_thinking
from spadework.errors import CheckFailed
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import server_wrote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.backends.base import TokenChoice
    from spadework.checks.thinking import Split

REPAIRABLE = frozenset({"label", "json", "schema", "extraction"})
"""Checks whose message tells the same model what to repair."""

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


@dataclass(frozen=True, slots=True)
class AnswerRequirements:
    """What is asked of an answer.

    Args:
        given: what the model was given.
        labels: the answer is one of these.
        schema: the answer is JSON that follows it.
        grounded: every string and number of such an answer must occur in the material.
        content: whether more is checked than that the answer is whole and has its form.
        notices: sentences of our own in the prompt.
    """

    given: GroundingContext = field(default_factory=GroundingContext)
    labels: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    grounded: bool = False
    content: bool = True
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidatedReply:
    """An answer's text, and what the caller should know about how it was come by.

    `value` is what the JSON of an answer by schema stands for, `confidence` the margin of a label,
    `checks` the names of the checks that were made and passed.
    """

    text: str
    notes: tuple[str, ...] = ()
    value: Any = None
    confidence: float | None = None
    checks: tuple[str, ...] = ()


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
    passed = (*read, "cut-off", "unfinished", "empty")
    if requirements.content:
        check_refusal(text, requirements.given)
        passed = (*passed, "refusal")
    if requirements.labels:
        found = _labelled(reply, text, requirements)
    elif requirements.schema is not None:
        found, more = _structured(text, requirements.schema, requirements)
        hidden += more
    else:
        found = _prose(text, requirements) if requirements.content else ValidatedReply(text)
    notes = [*found.notes, *_notes(split, hidden)]
    if not requirements.labels and (note := _address(found)):
        notes.insert(0, note)
    return ValidatedReply(
        found.text, tuple(notes), found.value, found.confidence, (*passed, *found.checks)
    )


def _check_truncation(reply: ModelReply) -> tuple[str, ...]:
    """Hold the server's count of the prompt against ours: much less means that input was cut."""
    if not reply.prompt_tokens:
        return ()
    missing = reply.expected_tokens - reply.prompt_tokens
    if missing > max(_TOKENS_OF_A_TEMPLATE, reply.expected_tokens * (1 - _LEAST_SHARE_READ)):
        raise CheckFailed(
            "silent-truncation",
            f"the server read {reply.prompt_tokens} tokens of a prompt of at least "
            f"{reply.expected_tokens} ({reply.expected_source}): it cut the input without a word",
            hint="raise the context window of that model, or give it less",
        )
    return ("silent-truncation",)


def _check_ending(
    reply: ModelReply, split: Split, text: str, requirements: AnswerRequirements
) -> None:
    only_thinking = reply.had_thinking or bool(split.thinking)
    if reply.finish == "length" and not _is_whole(text, requirements):
        if requirements.content:
            check_loop(
                text, requirements.given
            )  # the better reason, since a larger limit does not help
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


def _labelled(reply: ModelReply, text: str, requirements: AnswerRequirements) -> ValidatedReply:
    label = label_of(text, requirements.labels)
    sure = margin(reply.tokens, text, label, requirements.labels)
    return ValidatedReply(label, confidence=sure, checks=("label",))


def _structured(
    text: str, schema: Mapping[str, Any], requirements: AnswerRequirements
) -> tuple[ValidatedReply, int]:
    value, hidden = structured(text, schema)
    passed = ["json", "schema"]
    if requirements.content and check_extraction(
        value, schema, requirements.given, grounded=requirements.grounded
    ):
        passed.append("extraction")
    return ValidatedReply(compact(value), value=value, checks=tuple(passed)), hidden


def _prose(text: str, requirements: AnswerRequirements) -> ValidatedReply:
    given = requirements.given
    check_echo(text, given, requirements.notices)
    check_loop(text, given)
    passed = ["echo", "loop"]
    if check_language(text, given):
        passed.append("language")
    coded = check_code(text)
    grounded = ground(coded.text, given)
    passed += ["code"] if coded.checked else []
    passed += grounded.checked
    return ValidatedReply(grounded.text, (*coded.notes, *grounded.notes), checks=tuple(passed))


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
