"""One change of one file of a client's: what it is, and how it is taken back.

The file is JSON, JSON with comments, or TOML; whatever is not ours stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from spadework.claude_code import json_text
from spadework.config.toml_files import parse
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Format = Literal["json", "jsonc", "toml"]
Kind = Literal["set", "remove", "add"]
MISSING = object()


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file.

    `kind` is "set" (the member `keys` becomes `value`), "remove" (that member goes) or "add" (the
    list at `keys` gets the item `value`).
    """

    file: Path
    format: Format
    kind: Kind
    keys: tuple[str, ...]
    value: Any = None


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """What a change found: the value that stood there, `MISSING` if none did.

    `depth` is how many of the keys were there already.
    """

    value: Any
    depth: int


def read(text: str, edit: Edit) -> dict[str, Any]:
    """Parse a file's text.

    Raises:
        ConfigError: it cannot be parsed; says the line.
    """
    if edit.format == "toml":
        return parse(text, edit.file)
    try:
        document: dict[str, Any] = json_text.load(text, comments=edit.format == "jsonc")
    except json_text.NotJson as error:
        raise _refused(edit, error) from None
    return document


def look(text: str, edit: Edit) -> FileSnapshot:
    """Describe the current content at the place of a change.

    Raises:
        ConfigError: the file cannot be parsed.
    """
    found: Any = read(text, edit)
    for depth, key in enumerate(edit.keys):
        if not isinstance(found, dict) or key not in found:
            return FileSnapshot(MISSING, depth)
        found = found[key]
    return FileSnapshot(found, len(edit.keys))


def is_done(text: str, edit: Edit) -> bool:
    """Tell whether a file is already as a change would make it.

    Raises:
        ConfigError: the file cannot be parsed.
    """
    found = look(text, edit).value
    if edit.kind == "add":
        return isinstance(found, list) and edit.value in found
    return bool(found is MISSING if edit.kind == "remove" else found == edit.value)


def changed(text: str, edit: Edit) -> str:
    """Make a change.

    Args:
        text: the file's whole text, empty if it does not exist.
        edit: the change.

    Raises:
        ConfigError: the file cannot be parsed, or is not of the shape that the client reads.
    """
    read(text, edit)
    if edit.format == "toml":
        return _changed_toml(text, edit)
    try:
        match edit.kind:
            case "set":
                return json_text.set_member(text, edit.keys, edit.value)
            case "add":
                return json_text.add_item(text, edit.keys, edit.value)
            case "remove":
                return json_text.remove_member(text, edit.keys)
    except json_text.NotJson as error:
        raise _refused(edit, error) from None


def taken_back(text: str, edit: Edit, before: FileSnapshot) -> str:
    """Revert a change in a text that has changed since; what others changed stays.

    Raises:
        ConfigError: the file cannot be parsed.
    """
    now = look(text, edit).value
    if edit.kind == "add":
        mine = isinstance(now, list) and edit.value in now
        return _pruned(_without_item(text, edit), edit, before) if mine else text
    if edit.kind == "remove":
        return text if now is not MISSING else changed(text, _set_back(edit, before))
    if now != edit.value:
        return text
    if before.value is not MISSING:
        return changed(text, _set_back(edit, before))
    gone = Edit(edit.file, edit.format, "remove", edit.keys)
    return _pruned(changed(text, gone), edit, before)


def _set_back(edit: Edit, before: FileSnapshot) -> Edit:
    return Edit(edit.file, edit.format, "set", edit.keys, before.value)


def _without_item(text: str, edit: Edit) -> str:
    try:
        return json_text.remove_item(text, edit.keys, edit.value)
    except json_text.NotJson as error:
        raise _refused(edit, error) from None


def _pruned(text: str, edit: Edit, before: FileSnapshot) -> str:
    """Remove what the change made around its member, as far as that is empty now."""
    for depth in range(len(edit.keys), before.depth, -1):
        around = Edit(edit.file, edit.format, "remove", edit.keys[:depth])
        if look(text, around).value in ({}, []):
            text = changed(text, around)
    return text


def _changed_toml(text: str, edit: Edit) -> str:
    import tomlkit  # noqa: PLC0415 - `spadework setup --help` does without it

    def header_less_table() -> Any:
        """Make a table whose own header is not written: `[mcp_servers.spadework]` says it all."""
        return tomlkit.table(is_super_table=True)

    wanted = read(text, edit)
    _change(wanted, edit)
    windows = "\r\n" in text
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n"))
        _change(document, edit, header_less_table)
        after = tomlkit.dumps(document)
        after = after.replace("\n", "\r\n") if windows else after
        exact = read(after, edit) == wanted
    except (tomlkit.exceptions.TOMLKitError, ConfigError):
        exact = False
    if not exact:
        raise ConfigError(
            f"{edit.file}: the change would alter more than its key, so it was not made",
            hint="make the change in your editor",
        )
    return after


def _change(document: Any, edit: Edit, new_table: Callable[[], Any] = dict) -> None:
    """Change a plain mapping or a document of tomlkit's."""
    table = document
    for key in edit.keys[:-1]:
        if key not in table:
            if edit.kind == "remove":
                return
            table[key] = new_table()
        table = table[key]
        if not hasattr(table, "setdefault"):
            raise ConfigError(
                f"{edit.file}: {key!r} is not a table",
                hint="the client cannot read that; fix it in your editor",
            )
    if edit.kind == "remove":
        table.pop(edit.keys[-1], None)
    else:
        table[edit.keys[-1]] = edit.value


def _refused(edit: Edit, error: json_text.NotJson) -> ConfigError:
    return ConfigError(
        f"{edit.file}: {error}",
        hint="nothing was changed; fix the file in your editor, then run this again",
    )
