"""From a file to a TOML document; every failure names the file and, if there is one, the line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spadework.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1_000_000

_PLACE = re.compile(
    r"(?<!\s)\s*+\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)
# tomllib's words, and what they mean to someone who does not know the TOML specification.
_MEANINGS = (
    ("Invalid value", "invalid value", 'put text in quotes: key = "text"'),
    ("Unescaped", "a backslash in a text", "write it in single quotes: 'C:\\models'"),
    ("Cannot overwrite", "a key or table that is already there", "keep one of the two"),
    ("Cannot declare", "a table that is already there", "put its keys under the first one"),
    ("Duplicate inline", "a key that is already there", "keep one of the two"),
    ("Cannot mutate", "a table or list that was closed before", "write all of it in one place"),
    ("Expected '='", "a key needs '=' and a value", 'such as key = "text"'),
    ("Invalid statement", "neither a key nor a [table]", ""),
    ("Expected ']'", "the table's name lacks its closing bracket", "write it as [table]"),
    ("Exceeds the limit", "a number that is too long", ""),
    ("Expected newline", "unexpected text after the value", "write one key per line"),
    ("Unterminated string", "a text lacks its closing quotes", ""),
    ('Expected "', "a text lacks its closing quotes", ""),
    ("Unclosed array", "a list lacks its closing bracket", ""),
    ("Unclosed inline", "a table lacks its closing brace", ""),
    ("Illegal character", "a line or control character inside a text", "close the quotes"),
)


def read_text(file: Path) -> str:
    """Read a config file.

    Raises:
        ConfigError: it is missing, a folder, unreadable, too large or no UTF-8 text.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: is a folder, not a config file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file}: is larger than {MAX_BYTES:,} bytes: no config file")
    return decode(content, file)


def decode(content: bytes, file: Path) -> str:
    """Decode a config file's bytes; a byte order mark is allowed.

    Raises:
        ConfigError: it is not valid UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}:{line}: not valid UTF-8", hint="save the file as UTF-8 in your editor"
        ) from None


def parse(text: str, file: Path) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        ConfigError: it is not valid TOML; names line and column, and shows the line.
    """
    import tomllib  # noqa: PLC0415 - 8 ms that a missing file does not need

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{file}:1: lists or tables are nested too deeply") from None
    except ValueError as error:
        raise _syntax_error(str(error), text, file) from None


def _syntax_error(message: str, text: str, file: Path) -> ConfigError:
    place = _PLACE.search(message)
    lines = text.split("\n")
    if place and place["line"]:
        line, column = int(place["line"]), int(place["column"])
    else:
        line = next((at for at in range(len(lines), 0, -1) if lines[at - 1].strip()), 1)
        column = len(lines[line - 1].rstrip()) + 1
    what, hint = _PLACE.sub("", message), ""
    for beginning, meaning, advice in _MEANINGS:
        if what.startswith(beginning):
            what, hint = meaning, advice
    written = _as_written(lines, line)
    return ConfigError(f"{file}:{line}:{column}: not valid TOML: {what}{written}", hint=hint)


def _as_written(lines: list[str], line: int) -> str:
    """Show the wrong line, unless it could contain a key."""
    from spadework.config.secret_masking import is_secret_name  # noqa: PLC0415 - only a wrong file needs it
    from spadework.config.type_names import shown  # noqa: PLC0415 - as above

    near = "\n".join(lines[max(0, line - 3) : line]).replace("max_tokens", "")
    return "" if is_secret_name(near) else f", in {shown(lines[line - 1].strip())}"
