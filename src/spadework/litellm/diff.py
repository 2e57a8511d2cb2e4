"""What an addition does to a file, as lines; what could be a key is taken out of them."""

from __future__ import annotations

import re
from difflib import unified_diff

from spadework.config.secret_masking import is_secret_name, masked
from spadework.litellm.model_entries import ENVIRONMENT, NO_KEY

# A key and its value, bare or quoted, in lines or in brackets.
_PAIR = re.compile(
    r"""(["']?)(?<![\w.-])([\w.-]++)\1(\s*:\s*)("[^"]*"?|'[^']*'?|[^\s,{}\[\]#][^,{}\[\]#]*)"""
)
_PASSWORD = re.compile(r"//[^/@\s]*@")


def difference(before: str, after: str, name: str) -> str:
    """Return the difference of two texts in unified form, without secrets.

    Args:
        before: the text before.
        after: the text after.
        name: what the file is called in it.
    """
    lines = list(
        unified_diff(
            before.splitlines(), after.splitlines(), name, f"{name} (new)", n=3, lineterm=""
        )
    )
    shown, is_replaced = lines[:2], False
    for line in lines[2:]:
        # What comes in place of a line has that line's own text in it; other new lines are ours.
        is_replaced = line.startswith("-") or (is_replaced and line.startswith("+"))
        is_ours = line.startswith(("+", "@@")) and not is_replaced
        shown.append(line if is_ours else _without_secrets(line))
    return "".join(f"{line}\n" for line in shown)


def _without_secrets(line: str) -> str:
    return _PASSWORD.sub("//***@", masked(_PAIR.sub(_hidden, line)))


def _hidden(match: re.Match[str]) -> str:
    value = match[4].strip().strip("\"'")
    harmless = value.isdigit() or value == NO_KEY or value.startswith(ENVIRONMENT)
    if harmless or not is_secret_name(match[2]):
        return match[0]
    return f"{match[1]}{match[2]}{match[1]}{match[3]}***"
