"""Writes docs/configuration.md from the models of the config; `make docs` runs it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from configuration_texts import HEAD, SAMPLE_NAMES, SAMPLES, SETUPS
from spadework.config.error_report import ANY_NAME, sections
from spadework.config.models import DEFAULT_TOOLS, Config
from spadework.config.project_file import MAX_BYTES, MAX_TEXT, MAX_TOOLS
from spadework.config.type_names import as_toml, key_at, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_WIDTH = 96


def page() -> str:
    """Return the whole page."""
    head = HEAD.format(max_text=MAX_TEXT, max_bytes=MAX_BYTES, max_tools=MAX_TOOLS)
    parts = [head, "## Every key", *_tables(), "## The default tools", *_default_tools()]
    parts += ["## Usual setups", *_setups()]
    parts += ["## A complete example", "Every key, with what it is for.", _toml_block(example())]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def example() -> str:
    """Return a config file with every key in it, each with a comment."""
    blocks = []
    for section, fields in sections(Config):
        kind, _, free = section.partition(".")
        header = f"{kind}.{SAMPLE_NAMES[kind]}" if free == ANY_NAME else section
        lines = [f"[{header}]"] if header else []
        for name, field in fields.items():
            path = f"{section}.{name}" if section else name
            if path in _SECTIONS:
                continue
            lines += textwrap.wrap(
                f"{_about(field)}", _WIDTH, initial_indent="# ", subsequent_indent="# "
            )
            lines += [f"{name} = {as_toml(SAMPLES.get(path, field.default))}", ""]
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


_SECTIONS = frozenset(
    header.partition(".")[0].strip("[]") for header, _ in sections(Config) if header
)


def _tables() -> Iterator[str]:
    for section, fields in sections(Config):
        yield f"### `[{section}]`" if section else "### At the top"
        if section:
            yield _about_section(section)
        yield "\n".join(
            [
                "| key | takes | default | |",
                "|---|---|---|---|",
                *(
                    _row(name, field)
                    for name, field in fields.items()
                    if name not in _SECTIONS or section
                ),
            ]
        )


def _about_section(section: str) -> str:
    table = section.removesuffix(f".{ANY_NAME}").strip("[]")
    path = [table, ANY_NAME] if section.startswith("[") else section.split(".")
    key = key_at(Config, path)
    about = " ".join((key.kind.__doc__ if key else "").split())
    field = Config.model_fields[table]
    return f"{about} {_about(field)}".strip() if field.description else about


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _default(field.default)
    cells = [f"`{name}`", key_of(field).takes(), default, _about(field)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    if value is None or value in ([], {}, ""):
        return "empty"
    return f"`{as_toml(value)}`"


def _default_tools() -> Iterator[str]:
    yield "What you set in their tables replaces that key alone."
    for name, tool in DEFAULT_TOOLS.items():
        given = tool.model_dump(exclude_unset=True)
        keys = "\n".join(f"{key} = {as_toml(value)}" for key, value in given.items())
        yield _toml_block(f"[tools.{name}]\n{keys}\n")


def _setups() -> Iterator[str]:
    for title, (prose, toml) in SETUPS.items():
        yield f"### {title}"
        yield prose
        yield _toml_block(toml)


def _toml_block(text: str) -> str:
    return f"```toml\n{text.strip()}\n```"


def _about(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


if __name__ == "__main__":
    print(page(), end="")
