"""An answer in another language than the question: only where that is beyond doubt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerCheck
from spadework.errors import CheckFailed

if TYPE_CHECKING:
    from spadework.checks.answer_check import AnswerRequirements, ValidatedReply

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^“”\n]*”|https?://\S+", re.DOTALL)
_LOOKED_AT = 20_000  # characters
_LEAST_LETTERS = 20
_LEAST_HITS = 4
_CLEARLY = 3  # times as many words of one language as of the next
_SHARE = 0.6
_SCRIPTS = {
    "Latin": r"A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    "Greek": r"\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": r"\u0400-\u052f",
    "Hebrew": r"\u0590-\u05ff",
    "Arabic": r"\u0600-\u06ff\u0750-\u077f",
    "Devanagari": r"\u0900-\u097f",
    "Thai": r"\u0e00-\u0e7f",
    "Chinese or Japanese": r"\u3040-\u30ff\u3400-\u9fff",
    "Korean": r"\uac00-\ud7af\u1100-\u11ff",
}
_LETTERS = {name: re.compile(f"[{signs}]") for name, signs in _SCRIPTS.items()}
# Words that occur in nearly every sentence of one language, and seldom in the others.
_COMMON = {
    "English": "the and is are was were of to that with this from not have has which they be it",
    "German": "der die das und ist sind nicht ein eine einen den dem mit auf für von wird werden",
    "French": "le les des est et dans pour que qui une sont avec sur pas aux cette ces ont du",
    "Spanish": "el los las es y en que del por con una para como son está pero más al este",
    "Italian": "il gli è che di della dei nel per con una sono non come questo anche delle alla",
    "Portuguese": "o os as é e em que do da dos das para com uma não são mais como ao pelo",
    "Dutch": "de het een en van is niet dat zijn met voor op worden wordt ook aan deze bij",
}
_WORDS = {name: frozenset(text.split()) for name, text in _COMMON.items()}
# A task that names a language means it; these are enough, for naming one lifts the check.
_NAMED = re.compile(
    r"translat|übersetz|tradu|перев|翻译|翻訳|번역|ترجم|\blanguage|\bsprache|\blangue|idioma|\blingua|"
    r"\b(?:english|german|french|spanish|italian|portuguese|dutch|russian|ukrainian|greek|polish|"
    r"czech|swedish|turkish|hebrew|arabic|hindi|thai|chinese|mandarin|japanese|korean|latin|"
    r"deutsch|englisch|französisch|spanisch|français|anglais|español|inglés|italiano|inglese)\b|"
    r"[中英日韩法德]文|[中英日韩法德]语|日本語|英語|한국어|영어|русск|английск",
    re.IGNORECASE,
)


def check_language(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    """Hold the answer's language against the question's and the material's.

    It passes where both can be told.

    Raises:
        CheckFailed: named "language".
    """
    given = wanted.given
    said, asked = language_of(answer.text), language_of(given.task)
    if _NAMED.search(given.task) or not said or not asked:
        return answer
    texts = (*given.texts, *(passage.text for passage in given.passages))
    if said == asked or said in map(language_of, texts) or _mixed(said, texts):
        return answer.passing("language")
    hint = f"say which language to answer in, such as: Answer in {asked}"
    raise CheckFailed("language", f"the question is {asked}, the answer {said}", hint=hint)


def _mixed(said: str, texts: tuple[str, ...]) -> bool:
    """Tell whether there is a good deal of a script in the material, between another one."""
    signs = _LETTERS.get(said)
    return signs is not None and any(
        len(signs.findall(text[:_LOOKED_AT])) >= _LEAST_LETTERS for text in texts
    )


def language_of(text: str) -> str:
    """Name the language, or the script where that says it all; empty if it is not clear."""
    prose = _CODE.sub(" ", text[:_LOOKED_AT])
    letters = {name: len(signs.findall(prose)) for name, signs in _LETTERS.items()}
    total = sum(letters.values())
    script = max(letters, key=lambda name: letters[name])
    # A sign of Chinese or Korean says as much as several letters.
    least = _LEAST_LETTERS // 3 if script in {"Chinese or Japanese", "Korean"} else _LEAST_LETTERS
    if letters[script] < least or letters[script] < _SHARE * total:
        return ""
    return script if script != "Latin" else _by_common_words(prose)


def _by_common_words(prose: str) -> str:
    counted = dict.fromkeys(_WORDS, 0)
    for word in re.findall(r"[^\W\d_]+", prose.lower()):
        for name, common in _WORDS.items():
            counted[name] += word in common
    first, second, *_ = sorted(counted, key=lambda name: counted[name], reverse=True)
    clear = counted[first] >= _LEAST_HITS and counted[first] >= _CLEARLY * counted[second]
    return first if clear else ""


CHECKS = (AnswerCheck("language", "prose", check_language),)
