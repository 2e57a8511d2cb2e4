"""Detects refusals, and replies that claim not to see the material."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerCheck, folded
from spadework.errors import CheckFailed
from spadework.util.untrusted_text import model_wrote

if TYPE_CHECKING:
    from spadework.checks.answer_check import (
        AnswerRequirements,
        GroundingContext,
        ValidatedReply,
    )

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
    r")",
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
    r")",
)


def check_refusal(text: str, given: GroundingContext) -> None:
    """Find a refusal at the beginning of an answer.

    Raises:
        CheckFailed: named "refusal".
    """
    opening = " ".join(folded(text[:_OPENING]).replace("\u2019", "'").split())
    found = _REFUSALS.search(opening)
    if not found and given.has_material:
        found = _BLIND.search(opening)
    if found and found[0].strip() not in " ".join(given.text.split()):
        hint = "put the task in other words, or ask another model"
        raise CheckFailed(
            "refusal", f"the model refuses; {model_wrote(text[:_OPENING])}", hint=hint
        )


def _run(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    check_refusal(answer.text, wanted.given)
    return answer.passing("refusal")


CHECKS = (AnswerCheck("refusal", "reply", _run),)
