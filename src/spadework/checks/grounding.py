"""Quotations and `path:line` citations are looked up in what the model was given.

What is looked up is what claims to be a quotation: text of five words or more in double quotes or
in a block quote, code in backticks beside a citation, and places in files. Text that the answer
offers as its own ("it should read …"), text of which it says that it is missing, and all text of a
task that asks for new text are not such claims. Words must be the same and in the same order; case,
blanks, punctuation and Markdown do not count, and `…` and `[…]` stand for what was left out.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerCheck, symbols, words
from spadework.checks.reply_markup import fences_of
from spadework.errors import CheckFailed
from spadework.util.untrusted_text import quote_foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spadework.checks.answer_check import AnswerRequirements, GroundingContext, ValidatedReply

MARK = "[not in the source]"
_LEAST_WORDS = 5
_LEAST_SIGNS = 4  # words and signs of code
_MOST_INVENTED = 0.5
_LOOK_BACK = 400  # characters
_CONTEXT = 70  # characters before a quotation that say what it is

_QUOTED = re.compile(
    r'(?<![\w"=])"(?=\S)((?:[^"\n]|\n(?!\s*\n))*)(?<=\S)"(?!\w)'
    r"|[“„«]((?:[^“”„«»\n]|\n(?!\s*\n))*)[”“»]"
)
# `>>>` is Python's prompt.
_BLOCK = re.compile(r"^[ ]{0,3}>(?!>>)[^\n]*(?:\n[ ]{0,3}>(?!>>)[^\n]*)*", re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LEFT_OUT = re.compile(r"\[[^\[\]\n]*\]|\(\.\.\.\)|\.{3,}|…")
_LINE_NUMBER = re.compile(r"^[^\S\n]*+>?[^\S\n]*+\d++\|", re.MULTILINE)
_CITED = re.compile(
    r"(?<![\w./\\@:+-])(?P<path>(?:~|\.{1,2})?/?(?:[\w.@+-]+/)*[\w@+-][\w.@+-]*)"
    r":(?P<first>\d{1,7})(?:[-\u2013](?P<last>\d{1,7}))?(?![\w:/]|\.\d)"
)
_FILE_NAME = re.compile(
    r"(?:^|/)(?:Makefile|Dockerfile|README|LICENSE|CHANGELOG)$|\."
    r"(?:md|txt|rst|adoc|tex|py|pyi|ipynb|js|jsx|mjs|ts|tsx|vue|css|scss|html?|xml|svg|json|jsonl|"
    r"ya?ml|toml|ini|cfg|conf|env|csv|tsv|log|sql|sh|bash|zsh|ps1|bat|c|h|cc|cpp|hpp|cs|java|kt|"
    r"go|rs|rb|php|pl|lua|swift|scala|clj|ex|exs|erl|hs|ml|r|jl|dart|proto|gradle|tf|lock|diff|"
    r"patch|pdf|docx)$",
    re.IGNORECASE,
)
_OWN_WORDS = re.compile(
    r"suggest|recommend|propos|should|could|would|might|instead|for example|for instance|e\.g\.|"
    r"such as|chang\w* |replac\w* |renam|rephras|rewrit|better|\btitle|\blike\b|as if|so-called|"
    r"\b(?:not?|never|nothing|nowhere|without|missing|lacks?|absent|neither|nor)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_ASKS_FOR_NEW_TEXT = re.compile(
    r"\b(?:suggest|propose|rewrit|rephras|paraphras|reword|translat|draft|compos|invent|brainstorm|"
    r"imagin|improv|correct|proofread|edit|shorten|titles?\b|slogan|headline|poem|story|joke|"
    r"e-?mail\b|letter\b|reply\b|docstring|commit message|test cases?\b|examples?\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Claim:
    start: int
    end: int
    shown: str
    true: bool


class _Spans:
    """Parts of a text that do not overlap."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self.spans = sorted(spans)
        self._starts = [start for start, _ in self.spans]

    def hold(self, place: int) -> bool:
        """Tell whether a place is in one of them."""
        at = bisect_right(self._starts, place) - 1
        return at >= 0 and place < self.spans[at][1]


def ground(answer: ValidatedReply, wanted: AnswerRequirements) -> ValidatedReply:
    """Look up what an answer claims to quote from the material; strike what does not occur.

    Raises:
        CheckFailed: named "quotation" or "citation": most of them are invented.
    """
    text, given = answer.text, wanted.given
    if not given.has_material or _is_data(text):
        return answer
    checked: list[str] = []
    notes: list[str] = []
    struck: list[_Claim] = []
    for name, find in (("quotation", _quotations), ("citation", _citations)):
        claims = list(find(text, given))
        invented = [claim for claim in claims if not claim.true]
        if len(invented) > _MOST_INVENTED * len(claims):
            raise _too_many(name, invented, len(claims))
        if invented:
            struck += invented
            notes.append(f"struck, since not in the source: {_counted(len(invented), name)}")
        elif claims:
            checked.append(name)
    struck_text = _strike(text, struck)
    return replace(answer, text=struck_text, notes=(*answer.notes, *notes)).passing(*checked)


def _is_data(text: str) -> bool:
    """Tell whether the whole answer is JSON: its quotes do not mark quotations."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _too_many(name: str, invented: list[_Claim], count: int) -> CheckFailed:
    shown = "; ".join(quote_foreign(claim.shown) for claim in invented[:3])
    what = "is not in the source" if len(invented) == 1 else "are not in the source"
    of = f"{len(invented)} of {_counted(count, name)}"
    hint = "ask for a summary without quotations, or give it less at once"
    return CheckFailed(name, f"{of} {what}; the model wrote: {shown}", hint=hint)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _quotations(text: str, given: GroundingContext) -> Iterator[_Claim]:
    if _ASKS_FOR_NEW_TEXT.search(given.task):
        return
    taken = _Spans([(fence.start, fence.end) for fence in fences_of(text)])
    blocks = [block for block in _BLOCK.finditer(text) if not taken.hold(block.start())]
    for block in blocks:
        yield from _claim(text, block.span(), _unmarked(block[0]), given.has_words)
    taken = _Spans([*taken.spans, *(block.span() for block in blocks)])
    codes = [code for code in _CODE.finditer(text) if not taken.hold(code.start())]
    coded = _Spans([code.span() for code in codes])
    for quote in _QUOTED.finditer(text):
        if not taken.hold(quote.start()) and not coded.hold(quote.start()):
            quoted = quote[1] or quote[2] or ""
            yield from _claim(text, quote.span(), quoted, given.has_words)
    cited = _cited_lines(text)
    for code in codes:
        line = text.rfind("\n", 0, code.start())
        if any(not code.start() <= place < code.end() for place in cited.get(line, ())):
            yield from _claim(text, code.span(), code[1], given.has_code)


def _claim(
    text: str, span: tuple[int, int], quoted: str, stands_there: Callable[[str], bool]
) -> Iterator[_Claim]:
    """Yield the claim that a quoted text is, if it is one."""
    # Text inside another quotation is not a claim of the answer itself.
    spoken = _QUOTED.sub('""', text[max(0, span[0] - _LOOK_BACK) : span[0]])
    before = re.split(r"[.!?]\s|\n\n", spoken)[-1][-_CONTEXT:]
    is_code = text[span[0]] == "`"
    too_short = (
        len(symbols(quoted)) < _LEAST_SIGNS if is_code else len(words(quoted)) < _LEAST_WORDS
    )
    if too_short or _OWN_WORDS.search(before) or _CITED.fullmatch(quoted):
        return
    parts = [part for part in _LEFT_OUT.split(_LINE_NUMBER.sub(" ", quoted)) if words(part)]
    true = all(map(stands_there, parts)) or stands_there(quoted)
    yield _Claim(*span, quoted, true)


def _unmarked(block: str) -> str:
    """A block quote without its marks and without the line that names its author."""
    lines = [line.lstrip().lstrip(">").strip() for line in block.split("\n")]
    is_signed = len(lines) > 1 and re.match(r"[\u2014\u2013]\s*\w", lines[-1])
    return "\n".join(lines[:-1] if is_signed else lines)


def _cited_lines(text: str) -> dict[int, list[int]]:
    """Where places in files are named, by the end of the line before."""
    found: dict[int, list[int]] = {}
    for cited in _CITED.finditer(text):
        if _FILE_NAME.search(cited["path"]):
            found.setdefault(text.rfind("\n", 0, cited.start()), []).append(cited.start())
    return found


def _citations(text: str, given: GroundingContext) -> Iterator[_Claim]:
    if not given.passages:
        return
    fences = _Spans([(fence.start, fence.end) for fence in fences_of(text)])
    for cited in _CITED.finditer(text):
        if fences.hold(cited.start()):
            continue
        true = _stands(cited, given)
        if true is None:
            continue
        start, end = cited.span()
        if text[start - 1 : start] == "`" == text[end : end + 1]:
            start, end = start - 1, end + 1
        yield _Claim(start, end, cited[0], true)


def _stands(cited: re.Match[str], given: GroundingContext) -> bool | None:
    """Tell whether a place was given; None if it is not a place in a file."""
    path = cited["path"].replace("\\", "/").removeprefix("./")
    first = int(cited["first"])
    last = int(cited["last"] or first)
    same = [one for one in given.passages if _same_file(path, one.path)]
    if same:
        inside = any(one.first_line <= first <= last <= one.last_line for one in same)
        # Several ranges of one file that was read in parts.
        ends = all(
            any(one.first_line <= line <= one.last_line for one in same) for line in (first, last)
        )
        return (inside or (ends and first <= last)) or _told_of(path, first, given)
    if not _FILE_NAME.search(path):
        return None
    return _told_of(path, first, given)


def _same_file(cited: str, given: str) -> bool:
    given = given.replace("\\", "/")
    return cited == given or given.endswith(f"/{cited}") or cited.endswith(f"/{given}")


def _told_of(path: str, line: int, given: GroundingContext) -> bool:
    """Tell whether the material itself speaks of that line: a log, a trace, or a diff."""
    spoken = rf"{re.escape(path.casefold())}\W{{1,20}}(?:line\s+)?{line}\b"
    if re.search(spoken, given.text):
        return True
    return path.casefold() in given.text and "\n@@ -" in given.text


def _strike(text: str, claims: list[_Claim]) -> str:
    outermost: list[_Claim] = []
    for claim in sorted(claims, key=lambda claim: (claim.start, -claim.end)):
        if not outermost or claim.start >= outermost[-1].end:
            outermost.append(claim)
    for claim in reversed(outermost):
        quoted = text[claim.start : claim.end]
        struck = "\n".join(map(_struck, quoted.split("\n")))
        text = f"{text[: claim.start]}{struck} {MARK}{text[claim.end :]}"
    return text


def _struck(line: str) -> str:
    mark = re.match(r"[ ]{0,3}>[ >]*", line)
    head = mark[0] if mark else ""
    rest = line[len(head) :].strip()
    return f"{head}~~{rest}~~" if rest else line


CHECKS = (AnswerCheck("grounding", "prose", ground),)
