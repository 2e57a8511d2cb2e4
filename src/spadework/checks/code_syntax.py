"""Code in answers: does it parse? Nothing is ever run."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import textwrap
import tomllib
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import yaml

from spadework.checks.answer_check import AnswerCheck
from spadework.checks.reply_markup import fences_of
from spadework.errors import CheckFailed
from spadework.util.untrusted_text import quote_foreign

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.checks.answer_check import AnswerRequirements, ValidatedReply

_LARGEST = 200_000  # characters of one block; more is not looked at
_SHELL_SECONDS = 5.0
_DEEPEST_YAML = 100  # brackets in brackets: libyaml takes time by the square of them
_BRACKET = re.compile(r"[\[\]{}]")
_TAGS = {
    "python": "Python",
    "py": "Python",
    "python3": "Python",
    "json": "JSON",
    "yaml": "YAML",
    "yml": "YAML",
    "toml": "TOML",
    "bash": "shell",
    "sh": "shell",
    "shell": "shell",
}
# `tomllib` takes time by the square of the dots in a key; nobody writes so many.
_DOTS = re.compile(r"^(?:[^.\n]*\.){500}", re.MULTILINE)
# A transcript or an excerpt is not a whole program, and does not claim to be one.
_NO_PROGRAM = {
    "Python": re.compile(
        r"^[^\S\n]*+(?:>>>|In \[\d+\]:|\.\.\.(?:[^\S\n]*+\n){2}\s*+\S)", re.MULTILINE
    ),
    "JSON": re.compile(r"//|/\*|\.\.\.|…"),
    "YAML": re.compile(r"^[^\S\n]*+(?:\.\.\.|…)|\{\{", re.MULTILINE),
    "TOML": re.compile(r"^[^\S\n]*+(?:\.\.\.|…)", re.MULTILINE),
    "shell": re.compile(r"^[^\S\n]*+[$%#>] ?\S|<[A-Za-z_ -]+>|\[[A-Za-z_ .-]+\]", re.MULTILINE),
}


class _Unchecked(Exception):
    """There is nothing here to check it with."""


class _Broken(Exception):
    """It does not parse; the message says why."""


def check_code(answer: ValidatedReply, _: AnswerRequirements) -> ValidatedReply:
    """Parse the marked blocks of an answer; an answer that is one block becomes its content.

    It passes if code was parsed and all of it did.

    Raises:
        CheckFailed: named "code": the answer is one block and does not parse. A broken block
            beside prose is only reported.
    """
    text = answer.text
    blocks = [fence for fence in fences_of(text) if fence.closed]
    if not blocks:
        return answer
    whole = text[blocks[0].start : blocks[0].end].strip() == text.strip()
    parsed = 0
    notes: list[str] = []
    for number, block in enumerate(blocks, 1):
        language = _TAGS.get(block.tag.lower(), "")
        code = textwrap.dedent(block.code)
        try:
            parsed += _parses(language, code)
        except _Broken as broken:
            if whole:
                said = f"the answer is {language} that does not parse; {_parser_wrote(broken)}"
                raise CheckFailed("code", said) from None
            notes.append(
                f"code block {number} is {language} that does not parse; {_parser_wrote(broken)}"
            )
        except _Unchecked as reason:
            notes.append(f"code block {number} was not checked: {reason}")
    content = blocks[0].code.strip("\n") if whole else text
    answer = replace(answer, text=content or text, notes=(*answer.notes, *notes))
    return answer.passing("code") if parsed and not notes else answer


def _parser_wrote(broken: _Broken) -> str:
    """A parser's complaint has words of what it read in it."""
    return f"the parser wrote: {quote_foreign(str(broken))}"


def _parses(language: str, code: str) -> bool:
    """Parse a block; False if it is none that can be."""
    if not language or len(code) > _LARGEST or not code.strip():
        return False
    if _NO_PROGRAM[language].search(code) or _DOTS.search(code):
        return False
    _PARSERS[language](code)
    return True


def _parse_python(code: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash does not break code
            ast.parse(code)
    except SyntaxError as error:
        raise _Broken(f"{error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _Broken(str(error) or "nested too deeply") from None


def _parse_json(code: str) -> None:
    try:
        json.loads(code)
    except json.JSONDecodeError as error:
        raise _Broken(f"{error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError) as error:
        raise _Broken(str(error)) from None


def _parse_toml(code: str) -> None:
    try:
        tomllib.loads(code)
    except (ValueError, RecursionError) as error:
        raise _Broken(str(error)) from None


def _parse_yaml(code: str) -> None:
    if _deepest(code) > _DEEPEST_YAML:
        raise _Broken("nested too deeply")
    try:
        # Events alone: no object is made, no alias is followed.
        for _ in yaml.parse(code, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it is not valid YAML"
        raise _Broken(f"{what} in line {mark.line + 1}" if mark else what) from None
    except RecursionError:
        raise _Broken("nested too deeply") from None


def _deepest(code: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.finditer(code):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _parse_shell(code: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        raise _Unchecked("bash is not installed, so it cannot be parsed")
    try:
        done = subprocess.run(  # noqa: S603 - -n reads commands and runs none
            [bash, "--norc", "--noprofile", "-n"],
            input=code.encode(errors="replace"),
            env={},
            capture_output=True,
            timeout=_SHELL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Unchecked(f"bash could not parse it: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["bash refuses it"]
        raise _Broken(re.sub(r"^.*?: (?=line \d)", "", said[0]))


_PARSERS: dict[str, Callable[[str], None]] = {
    "Python": _parse_python,
    "JSON": _parse_json,
    "TOML": _parse_toml,
    "YAML": _parse_yaml,
    "shell": _parse_shell,
}


CHECKS = (AnswerCheck("code", "prose", check_code),)
