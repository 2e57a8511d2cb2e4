"""Files that hold credentials: never read, for no backend.

They and their copies are known by their names, whatever the case of the letters, and private keys
by their content.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from spadework.references.credential_names import CREDENTIAL_NAMES
from spadework.references.wildcards import wildcard_regex

_AUTOMATON_BYTES = 64 << 20
_MOST_COPIES = 4
_KEEPSAKE = (
    r"(?:bak|bkp|backup|old|orig|original|saved?|copy|copie|kopie|prev|previous|sw[nop]|te?mp|new|rej"
    r"|disabled|gz|bz2|xz|zst|gpg"
    r"|(?:dpkg|ucf)-(?:old|dist|new|bak)|(?:rpm|pac)(?:save|new|orig)"
    r"|\d{1,14}|\d{4}-\d\d-\d\d(?:[T_-][\d.:-]{1,12}Z?)?)"
)
# What editors, packages and people put after, or before, the name of a file that they copy.
_COPY_SUFFIX = re.compile(
    rf"(?:~|(?<![.,_ -])(?<!%20)(?:[.,_ -]|%20)++{_KEEPSAKE}(?: ?\(?\d+\)?)?|\s?\(\d+\)|#)$",
    re.IGNORECASE,
)
_COPY_PREFIX = re.compile(
    r"^(?:#|\.#|\.~lock\.|(?:copy|kopie|backup) (?:of|von) |(?:old|bak|backup|copy)[_-])",
    re.IGNORECASE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import re2  # type: ignore[import-untyped]  # it has no stubs

KEY_MARK = r"-{4,5} ?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
# A line of its own, or followed by key material, also where `\n` is spelt out as in JSON.
# A marker in a program's string literal with nothing after it is no key.
PRIVATE_KEY = re.compile(
    rf"^[ \t]*{KEY_MARK}[ \t]*$"
    rf"|{KEY_MARK}(?:\s|\\[nr])*(?:[A-Za-z0-9+/=]{{20}}|[A-Za-z-]+: )",
    re.MULTILINE,
)


def credential_pattern(path: str) -> str | None:
    """Give the pattern by which an absolute path is a credential file, None if it is none."""
    for one in _originals(path.removeprefix("/")):
        line = _line_for(one)
        if line is not None and not line.startswith("!"):
            return line
    return None


def holds_private_key(text: str) -> bool:
    """Whether a private key stands in the text."""
    return "PRIVATE KEY" in text and PRIVATE_KEY.search(text) is not None


@functools.cache
def _credential_files() -> tuple[tuple[str, ...], re2.Set]:
    """Compile the list into one automaton: in a large folder it is asked of every file."""
    import re2  # noqa: PLC0415 - only where files are read

    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = True
    options.encoding = re2.Options.Encoding.LATIN1  # bytes: a name need not be valid UTF-8
    options.max_mem = _AUTOMATON_BYTES
    search = re2.Set.FullMatchSet(options)
    rows = (row for row in CREDENTIAL_NAMES.split("\n") if not row.startswith("#"))
    lines = ["", *(line for row in rows for line in row.split())]
    search.Add(".*")  # always found: finding nothing means that memory ran out
    for line in lines[1:]:
        pattern = line.removeprefix("!").removeprefix("/")
        anywhere = "" if "/" in line.removeprefix("!") else "**/"
        # The same language without the groups that only keep `re` fast.
        search.Add(wildcard_regex(anywhere + pattern).replace("(?>", "(?:").replace("(?!/)", ""))
    search.Compile()
    return tuple(lines), search


def _line_for(path: str) -> str | None:
    """Give the last line of the list that names this path, its `!` included."""
    lines, search = _credential_files()
    found = search.Match(path.casefold().encode(errors="surrogateescape"))
    if not found:
        return "*"
    return lines[max(found)] or None


def _originals(path: str) -> Iterator[str]:
    """Yield a path, and those of the files that it may be a copy of by its name."""
    yield path
    folder, slash, name = path.rpartition("/")
    for _ in range(_MOST_COPIES):
        shorter = _without_copy_mark(name)
        if shorter in {name, ""}:
            return
        name = shorter
        yield folder + slash + name
        yield folder + slash + name.removeprefix(".")  # vim: .NAME.swp


def _without_copy_mark(name: str) -> str:
    """Take one mark of a copy off a name: `x.bak`, `x~`, `x.1`, `x (1).json`, `#x#`."""
    for mark in (_COPY_PREFIX, _COPY_SUFFIX):
        if (shorter := mark.sub("", name)) != name:
            return shorter
    stem, dot, suffix = name.rpartition(".")
    return _COPY_SUFFIX.sub("", stem) + dot + suffix if stem else name
