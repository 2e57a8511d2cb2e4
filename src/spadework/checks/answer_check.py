"""What a check of an answer is, what it is given, and how words and code are compared.

A check is a file here whose `CHECKS` has it, and a line in `reply_checks.py`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Scripts without blanks between words: each sign is a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_SYMBOL = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A file, or a range of its lines, as the model saw it; lines count from 1."""

    path: str
    text: str
    first_line: int
    last_line: int


@dataclass(frozen=True)
class GroundingContext:
    """What the model was given.

    Args:
        task: the rendered task, as the user or the caller put it.
        passages: files by reference.
        texts: further material, such as standard input.
    """

    task: str = ""
    passages: tuple[Passage, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def has_material(self) -> bool:
        """Whether there is anything besides the task."""
        return bool(self.passages or self.texts)

    @cached_property
    def text(self) -> str:
        """All of it, the task included; case and compatible forms of signs made alike."""
        parts = [*(passage.text for passage in self.passages), *self.texts, self.task]
        return folded("\n\n".join(parts))

    @cached_property
    def _words(self) -> str:
        return joined(_WORD.findall(self.text))

    @cached_property
    def _symbols(self) -> str:
        return joined(_SYMBOL.findall(self.text))

    def has_words(self, text: str) -> bool:
        """Tell whether these words stand there in this order, whatever is between them.

        Case, blanks, line ends, punctuation and the signs of Markdown do not count.
        """
        return joined(words(text)) in self._words

    def has_code(self, text: str) -> bool:
        """Tell whether this piece of code stands there; only case and blanks do not count."""
        return joined(symbols(text)) in self._symbols


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

    def passing(self, *checks: str) -> ValidatedReply:
        """The same, with the names of further checks that it passed."""
        return replace(self, checks=(*self.checks, *checks))


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """A check of an answer's content.

    Args:
        name: of the check; its failures have it, or names of their own, as docs/answers.md says.
        of: what it looks at: any reply before its format is looked at, prose, or parsed JSON.
        run: returns the answer, changed or with further notes and passed checks; raises
            `CheckFailed`.
        version: of its rules; with another one, cached answers are asked anew.
        repairable: whether its message tells the same model what to repair.
    """

    name: str
    of: Literal["reply", "prose", "json"]
    run: Callable[[ValidatedReply, AnswerRequirements], ValidatedReply]
    version: int = 1
    repairable: bool = False


def folded(text: str) -> str:
    """Make alike what differs only by case or by a compatible form."""
    return unicodedata.normalize("NFKC", text).casefold()


def words(text: str) -> list[str]:
    """The words of a text, folded; each sign of a script without blanks is one."""
    return _WORD.findall(folded(text))


def symbols(text: str) -> list[str]:
    """The words and the signs of a piece of code, folded, without its blanks."""
    return _SYMBOL.findall(folded(text))


def joined(parts: list[str]) -> str:
    """Join words so that one text is in another exactly where its words are."""
    return f" {' '.join(parts)} " if parts else ""
