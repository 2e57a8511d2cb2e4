"""Replies that are not an answer: refusals, the prompt over again, endless repetition."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerCheck, folded, joined, words
from spadework.errors import CheckFailed
from spadework.util.untrusted_text import model_wrote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.checks.answer_check import AnswerRequirements, GroundingContext, ValidatedReply

_OPENING = 240  # characters: a refusal says so at once
_POLITE = (
    r"^[\W_]*+(?:(?:i(?:'m| am)|we(?:'re| are)) (?:very |so |really )?sorry|sorry|i apologi[sz]e|"
    r"my apologies|unfortunately|apologies)?[\W_]*+(?:but )?(?:unfortunately,? )?"
)
# "I cannot find it in the text" is an answer; "I cannot help with that" is none.
_REFUSALS = re.compile(
    rf"{_POLITE}(?:"
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|i(?:'m| am)(?: just| only)? an? (?:ai|(?:large )?language model)\b"
    r"|i(?:'m| am) (?:unable|not able|not allowed|not comfortable) (?:to )?"
    r"(?:help|assist|fulfil|comply|provid|complet|process|do (?:that|this)|continu|respond|answer)"
    r"|i (?:can ?not|can't|won't|will not|am not going to) "
    r"(?:help|assist|fulfil|comply|participat|engage|do (?:that|this)\b|continue with)"
    r"|(?:this|that|your) (?:request|question) (?:violates|goes against|is against)"
    r")"
)
_BLIND = re.compile(
    rf"{_POLITE}(?:"
    r"i (?:do not|don't|can ?not|can't) (?:have (?:direct |any )?access to|see|access|open|read|"
    r"view) (?:any |the |your |external |local |attached )*"
    r"(?:files?|documents?|attachments?|text|code)\b"
    r"|i (?:have no|don't have) (?:way|ability|means) (?:to|of) (?:access|open|read|view)"
    r"|(?:could|can|would) you (?:please )?(?:provide|share|paste|upload|send)"
    r"|please (?:provide|share|paste|upload|send) (?:me )?(?:with )?(?:the|your|a) "
    r"(?:\w+ ){0,3}(?:files?|documents?|text|code|content)"
    r"|(?:it (?:seems|looks|appears)|i see) (?:like |that )?(?:you|there) "
    r"(?:haven't|have not|didn't|did not|(?:i|wa)s no)(?: yet)? ?"
    r"(?:provide|share|attach|include|paste|upload|file)"
    r")"
)


def check_refusal(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    """Find a refusal at the beginning of an answer.

    Raises:
        CheckFailed: named "refusal".
    """
    text, given = answer.text, wanted.given
    opening = " ".join(folded(text[:_OPENING]).replace("\u2019", "'").split())
    found = _REFUSALS.search(opening)
    if not found and given.has_material:
        found = _BLIND.search(opening)
    if found and found[0].strip() not in " ".join(given.text.split()):
        hint = "put the task in other words, or ask another model"
        said = f"the model refuses; {model_wrote(text[:_OPENING])}"
        raise CheckFailed("refusal", said, hint=hint)
    return answer.passing("refusal")


_LONGEST_UNIT = 60  # words that repeat as one
_MOST_LOOKED_AT = 3000  # words; a loop is at the end
_LEAST_REPEATS = 5
_LEAST_LOOP = 40  # words
_LEAST_REPEATS_OF_A_WORD = 30
_RUN = re.compile(r"([^\W\d_]{1,12}?)\1{40,}")
_LONGEST_RUN = 4000  # characters
_LEAST_ECHO = 8  # words
_ROOM = 1.2


def check_loop(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    """Find a reply that runs in circles at its end.

    Raises:
        CheckFailed: named "loop".
    """
    text, given = answer.text, wanted.given
    tail = words(text)[-_MOST_LOOKED_AT:]
    for unit in range(1, min(_LONGEST_UNIT, len(tail) // 2) + 1):
        length = _periodic(tail, unit)
        least = _LEAST_REPEATS if unit > 2 else _LEAST_REPEATS_OF_A_WORD  # noqa: PLR2004 - phrases
        if length < max(least * unit, _LEAST_LOOP):
            continue
        repeated = tail[len(tail) - unit :]
        if all(word.isdigit() for word in repeated) or _is_in(repeated * 3, given):
            return answer.passing("loop")  # a table of numbers, or as the material has it
        raise _loop(" ".join(repeated), length // unit)
    if run := _RUN.search(folded(text[-_LONGEST_RUN:])):
        raise _loop(run[1], len(run[0]) // len(run[1]))
    return answer.passing("loop")


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


def check_echo(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    """Find a reply that is the prompt over again, or a sentence of our own in it.

    Raises:
        CheckFailed: named "echo".
    """
    given, said = wanted.given, words(answer.text)
    spoken = joined(said)
    material = joined(words(" ".join((*given.texts, *(one.text for one in given.passages)))))
    for notice in wanted.notices:
        own = joined(words(notice))
        if own in spoken and own not in material:
            raise CheckFailed("echo", "the model repeats the prompt")
    task = words(given.task)
    if len(task) < _LEAST_ECHO or not (given.has_material or given.task.rstrip().endswith("?")):
        return answer.passing("echo")  # "correct this: …" may come back as it was
    if said[: len(task)] == task and len(said) <= len(task) * _ROOM:
        raise CheckFailed("echo", "the model repeats the task")
    return answer.passing("echo")


CHECKS = (
    AnswerCheck("refusal", "reply", check_refusal),
    AnswerCheck("echo", "prose", check_echo),
    AnswerCheck("loop", "prose", check_loop),
)
