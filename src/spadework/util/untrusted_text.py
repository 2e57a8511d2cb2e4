"""Words of models and servers inside our own sentences: cleaned, short, quoted and attributed.

An error, a hand-back or a footer is read by the model that called. What somebody else wrote must
not pass for our words there, so all of it goes through these functions, and nothing else puts it
into a message. `errors.SpadeworkError` cleans every message once more.
"""

from __future__ import annotations

import json
import re

from spadework.util.text_cleaning import HIDDEN, clean

LONGEST_QUOTE = 80
"""Characters of a quotation; enough to see what went wrong."""
LONGEST_NAME = 200
"""Characters of a model's name; a longer one is not used."""

_READ = 4_000  # characters; nothing further is looked at, however long the text is
_LONGEST_SHOWN_NAME = 120
_PLAIN = re.compile(rf"[\w.:/@+~=,*-]{{1,{LONGEST_NAME}}}")
_PLAIN_PATH = re.compile(rf"[\w.:/@+~=,#%\\-]{{1,{LONGEST_NAME}}}")
_LONGEST_PATH = 300
_PLAIN_KEY = re.compile(r"[\w-]{1,40}")
_DOUBLE_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u301d\u301e\uff02", '"'))


def one_line(text: str, limit: int) -> str:
    """Return a text cleaned, in one line and cut with … at `limit` characters."""
    line = " ".join(clean(text[:_READ])[0].split())
    if not line.isprintable():
        line = "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
    cut = len(line) > limit or len(text) > _READ
    return line[: limit - 1].rstrip() + "…" if cut else line


def quote_foreign(text: str, limit: int = LONGEST_QUOTE) -> str:
    r"""Quote a text of somebody else: `"…"` in one line, a `"` in it as `\"`."""
    return json.dumps(one_line(text, limit).translate(_DOUBLE_QUOTES), ensure_ascii=False)


def model_wrote(text: str, limit: int = LONGEST_QUOTE) -> str:
    """Attribute a quotation to the model: `the model wrote: "…"`."""
    return f"the model wrote: {quote_foreign(text, limit)}"


def server_wrote(text: str, limit: int = LONGEST_QUOTE) -> str:
    """Attribute a quotation to the server: `the server wrote: "…"`."""
    return f"the server wrote: {quote_foreign(text, limit)}"


def display_path(path: str) -> str:
    """Return a file's name as it may be shown: quoted if it is more than a word.

    A backslash stays one: it may already spell out what the name holds.
    """
    if _PLAIN_PATH.fullmatch(path):
        return path
    shown = one_line(path, _LONGEST_PATH).translate(_DOUBLE_QUOTES).replace('"', "'")
    return f'"{shown}"' if not shown.endswith("\\") else f'"{shown} "'


def display_name(name: str) -> str:
    """Return a model's name as it may be shown: quoted if it is more than a word.

    Use it for text that is read; to address the model, use the name itself.
    """
    return name if _PLAIN.fullmatch(name) else quote_foreign(name, _LONGEST_SHOWN_NAME)


def display_key(key: str) -> str:
    """Return a key of JSON as it may be shown in a path."""
    return key if _PLAIN_KEY.fullmatch(key) else quote_foreign(key, 40)


def is_usable_name(name: object) -> bool:
    """Tell whether a server's word can name a model: it is short, and shows all that is in it."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= LONGEST_NAME
        and name.isprintable()
        and name == name.strip()
        and clean(name) == (name, 0)
    )


def printable_json(value: object, indent: int | None = None) -> str:
    r"""Write strict JSON for a terminal: what shows nothing is spelled out, such as `\u202e`.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not have.
    """
    written = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return _escape_hidden(written)


def _escape_hidden(written: str) -> str:
    """Spell out hidden characters of JSON; they are in its strings alone."""
    return HIDDEN.sub(_spelled, written)


def _spelled(hidden: re.Match[str]) -> str:
    units = hidden[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
