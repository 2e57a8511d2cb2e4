"""Wildcards as git reads them, made into regular expressions.

The rules are those of gitignore(5) and git's wildmatch.c: `*` and `?` stop at a slash, `**/` spans
folders, `[…]` is a set, a backslash takes the next character as it is. One thing differs:
`?` stands for a character here, for a byte in git.
"""

from __future__ import annotations

import re

NEVER = "(?!)"
ANY_NAME_PART = "[^/]*"
ANY_FOLDERS = "(?:[^/]+/)*"

TOKEN = re.compile(
    r"""
    (?P<folders>(?<![^/])(?:\*\*+/)+)
  | (?P<below>(?<![^/])\*\*+\Z)
  | (?P<star>\*+)
  | (?P<slash>/)
  | (?P<one>\?)
  | (?P<set>\[(?P<negated>[!^]?+)(?P<items>(?:\\.|\[:\w*:\]|[^\\])(?:\\.|\[:\w*:\]|[^\\\]])*+)\])
  | \\(?P<escaped>.)
  | (?P<plain>[^\\\[])
    """,
    re.VERBOSE | re.DOTALL,
)
SET_ITEM = re.compile(r"\[:(?P<posix>\w*):\]|\\?(?P<first>.)(?:-\\?(?P<last>.))?", re.DOTALL)
POSIX_SETS = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def wildcard_regex(pattern: str) -> str:
    """Translate a wildcard pattern into a regular expression for `fullmatch` on a whole path."""
    runs, run, name = [], "", [""]
    at = 0
    while at < len(pattern):
        token = TOKEN.match(pattern, at)
        if token is None:  # an open bracket, or a lone backslash at the end
            return NEVER
        at = token.end()
        match token.lastgroup:
            case "folders":
                runs.append(run)
                run = ""
            case "below":
                name[-1] += ".+"
            case "star":
                name.append("")
            case "slash":
                run += _join(name, ANY_NAME_PART) + "/"
                name = [""]
            case "one":
                name[-1] += "[^/]"
            case "set":
                name[-1] += _set_regex(token["items"], negated=bool(token["negated"]))
            case _:
                name[-1] += re.escape(token["escaped"] or token["plain"])
    return _join([*runs, run + _join(name, ANY_NAME_PART)], ANY_FOLDERS)


def _join(parts: list[str], gap: str) -> str:
    """Join with gaps; each but the last takes the first place that fits and never goes back.

    That finds every match (the next gap can take up what is left) and keeps each pattern fast.
    """
    if len(parts) == 1:
        return parts[0]
    first, *middle, last = parts
    return first + "".join(f"(?>{gap}?{part})" for part in middle) + gap + last


def _set_regex(items: str, *, negated: bool) -> str:
    members = ""
    for item in SET_ITEM.finditer(items):
        if item["posix"] is not None:
            if item["posix"] not in POSIX_SETS:
                return NEVER
            members += POSIX_SETS[item["posix"]]
            continue
        first, last = item["first"], item["last"]
        members += re.escape(first)
        if last is not None and first <= last:
            members += f"-{re.escape(last)}"
    return f"[^/{members}]" if negated else f"(?!/)[{members}]"
