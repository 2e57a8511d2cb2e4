"""Replies that only repeat: the prompt, or themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerCheck, folded, joined, words
from spadework.errors import CheckFailed
from spadework.util.untrusted_text import model_wrote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.checks.answer_check import (
        AnswerRequirements,
        GroundingContext,
        ValidatedReply,
    )

_LONGEST_UNIT = 60  # words that repeat as one
_MOST_LOOKED_AT = 3000  # words; a loop is at the end
_LEAST_REPEATS = 5
_LEAST_LOOP = 40  # words
_LEAST_REPEATS_OF_A_WORD = 30
_RUN = re.compile(r"([^\W\d_]{1,12}?)\1{40,}")
_LONGEST_RUN = 4000  # characters
_LEAST_ECHO = 8  # words
_ROOM = 1.2


def check_loop(text: str, given: GroundingContext) -> None:
    """Find a reply that runs in circles at its end.

    Raises:
        CheckFailed: named "loop".
    """
    tail = words(text)[-_MOST_LOOKED_AT:]
    for unit in range(1, min(_LONGEST_UNIT, len(tail) // 2) + 1):
        length = _periodic(tail, unit)
        least = _LEAST_REPEATS if unit > 2 else _LEAST_REPEATS_OF_A_WORD  # noqa: PLR2004 - phrases
        if length < max(least * unit, _LEAST_LOOP):
            continue
        repeated = tail[len(tail) - unit :]
        if all(word.isdigit() for word in repeated) or _is_in(repeated * 3, given):
            return  # a table of numbers, or as the material has it
        raise _loop(" ".join(repeated), length // unit)
    if run := _RUN.search(folded(text[-_LONGEST_RUN:])):
        raise _loop(run[1], len(run[0]) // len(run[1]))


def _periodic(tail: Sequence[str], unit: int) -> int:
    """How many words at the end repeat with this period."""
    length = unit
    while length < len(tail) and tail[-length - 1] == tail[-length - 1 + unit]:
        length += 1
    return length


def _is_in(repeated: list[str], given: GroundingContext) -> bool:
    return given.has_words(" ".join(repeated))


def _loop(repeated: str, times: int) -> CheckFailed:
    hint = "ask for something shorter, or ask another model"
    said = f"the model repeats itself {times} times; {model_wrote(repeated)}"
    return CheckFailed("loop", said, hint=hint)


def check_echo(text: str, given: GroundingContext, notices: Sequence[str]) -> None:
    """Find a reply that is the prompt over again.

    Args:
        text: the answer.
        given: the task and the material.
        notices: sentences of our own in the prompt, which no answer has a reason to say.

    Raises:
        CheckFailed: named "echo".
    """
    said = words(text)
    spoken = joined(said)
    material = joined(words(" ".join((*given.texts, *(one.text for one in given.passages)))))
    for notice in notices:
        own = joined(words(notice))
        if own in spoken and own not in material:
            raise CheckFailed("echo", "the model repeats the prompt")
    task = words(given.task)
    if len(task) < _LEAST_ECHO or not (given.has_material or given.task.rstrip().endswith("?")):
        return  # "correct this: …" may come back as it was
    if said[: len(task)] == task and len(said) <= len(task) * _ROOM:
        raise CheckFailed("echo", "the model repeats the task")


def _run_echo(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    check_echo(answer.text, wanted.given, wanted.notices)
    return answer.passing("echo")


def _run_loop(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    check_loop(answer.text, wanted.given)
    return answer.passing("loop")


CHECKS = (AnswerCheck("echo", "prose", _run_echo), AnswerCheck("loop", "prose", _run_loop))
