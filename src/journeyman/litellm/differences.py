"""What an addition does to a file, as lines; what could be a key is taken out of them."""

from __future__ import annotations

import re
from difflib import unified_diff

from journeyman.config.secrets import is_secret_name, masked
from journeyman.litellm.entries import ENVIRONMENT

# A key and its value, bare or quoted, in lines or in brackets.
_PAIR = re.compile(r"""(["']?)([\w.-]+)\1(\s*:\s*)("[^"]*"?|'[^']*'?|[^\s,{}\[\]#][^,{}\[\]#]*)""")


def difference(before: str, after: str, name: str) -> str:
    """Return the difference of two texts in unified form, without secrets.

    Args:
        before: the text before.
        after: the text after.
        name: what the file is called in it.
    """
    lines = unified_diff(
        before.splitlines(), after.splitlines(), name, f"{name} (new)", n=2, lineterm=""
    )
    return "".join(f"{_without_secrets(line)}\n" for line in lines)


def _without_secrets(line: str) -> str:
    if line.startswith("+"):  # it is ours: it names variables, never values
        return line
    return masked(_PAIR.sub(_hidden, line))


def _hidden(match: re.Match[str]) -> str:
    value = match[4].strip().strip("\"'")
    harmless = value.isdigit() or value.startswith(ENVIRONMENT) or not is_secret_name(match[2])
    return match[0] if harmless else f"{match[1]}{match[2]}{match[1]}{match[3]}***"
