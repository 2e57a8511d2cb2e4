"""A project's own file: a cloned repository is not trusted, so it may add tools and little else."""

from __future__ import annotations

import os
import re
import stat
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from spadework.config.error_report import Problem, report, validated
from spadework.config.models import EMBEDDED, TAKEN_TOOLS, ProjectConfig
from spadework.config.toml_files import decode, parse
from spadework.config.validators import no_such
from spadework.errors import ConfigError
from spadework.util.paths import PROJECT_CONFIG_NAME
from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from spadework.config.models import Config, ToolConfig

MAX_BYTES = 64_000
MAX_DOTS_IN_LINE = 200
MAX_TOOLS = 16
MAX_TEXT = 500
KEYS = frozenset({"tools", "confidential"})
"""What a project may set."""

# Of small letters and digits. One separator more or less is not seen, at an end least of all.
_LOOKALIKES = str.maketrans("0i123456789q", "ollzeasgtbgg", "-_")
_LOOKALIKE_PAIRS = {"rn": "m", "nn": "m", "vv": "w", "cl": "d"}
# Neither a link put in place meanwhile is followed, nor a pipe waited for (Windows has neither).
_NO_SURPRISE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def load_project_tools(project: Path, config: Config) -> dict[str, ToolConfig]:
    """Load the tools that a project's `.spadework.toml` adds; empty where there is none.

    Its tools get local models only: the engine sees to that.

    Args:
        project: the project's folder.
        config: the user's config, whose backends the tools may name.

    Raises:
        ConfigError: the file is wrong, or sets what a project may not set.
    """
    file = project.absolute() / PROJECT_CONFIG_NAME
    content = read_project_file(file, project)
    if content is None:
        return {}
    text = decode(content, file)
    refuse_endless_keys(text, file)
    document = parse(text, file)
    beyond = beyond_tools(document)
    allowed = {key: cleaned(value) for key, value in document.items() if key in KEYS}
    tools = validated(ProjectConfig, allowed, text, file, beyond).tools
    if refused := list(refused_tools(tools, config)):
        raise report(refused, text, file)
    return tools


def read_project_file(file: Path, project: Path) -> bytes | None:
    """Read the project's file; None where there is none.

    Raises:
        ConfigError: it leads out of the project, is not a regular file, too large or unreadable.
    """
    if not os.path.lexists(file):
        return None
    try:
        real = file.resolve(strict=True)
        inside = real.is_relative_to(project.resolve(strict=True))
        content = _read_regular(real) if inside else b""
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "is a symlink that leads nowhere"
        raise ConfigError(f"{file}: cannot be read: {reason}") from None
    if not inside:
        raise ConfigError(
            f"{file}: is a symlink that leaves the project; it is not read",
            hint="put the file itself into the project's folder",
        )
    if content is None:
        raise ConfigError(f"{file}: is not a regular file; it is not read")
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file}: is larger than {MAX_BYTES:,} bytes; it is not read")
    return content


def _read_regular(real: Path) -> bytes | None:
    """Read a regular file, None for any other; what it was when looked at may have been swapped."""
    opened = os.open(real, _NO_SURPRISE)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return None
        return os.read(opened, MAX_BYTES + 1)
    finally:
        os.close(opened)


def refuse_endless_keys(text: str, file: Path) -> None:
    """Refuse lines that `tomllib` takes many seconds for: its time grows with the dots squared.

    Raises:
        ConfigError: a line has more dots than a person would write.
    """
    for line, written in enumerate(text.split("\n"), 1):
        if written.count(".") > MAX_DOTS_IN_LINE:
            raise ConfigError(f"{file}:{line}: has more than {MAX_DOTS_IN_LINE} dots in one line")


def beyond_tools(document: Mapping[str, Any]) -> list[Problem]:
    """Refuse everything that a project may not set."""
    return [
        Problem(
            (key,),
            "a project's file may add tools and say `confidential = true`, no more: a cloned "
            "repository is not trusted",
            f"if you want it, put {key} into your own config: `spadework config path`"
            if key in {"backends", "roots", "embedded", "references", "ledger"}
            else _meant(key),
        )
        for key in document
        if key not in KEYS
    ]


def _meant(key: str) -> str:
    near = get_close_matches(key, KEYS, 1)
    return f"did you mean {near[0]!r}?" if near else "write [tools.NAME]"


def cleaned(value: Any, depth: int = 4) -> Any:
    """Take control and hidden characters out of every text; `tools.NAME.KEY[PLACE]` is depth 4."""
    if isinstance(value, str):
        return clean(value)[0]
    if depth and isinstance(value, dict):
        return {key: cleaned(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list):
        return [cleaned(inner, depth - 1) for inner in value]
    return value


def refused_tools(tools: Mapping[str, ToolConfig], config: Config) -> Iterator[Problem]:
    """Refuse tools that hide one of the user's, reach a cloud, or say too much to Claude."""
    if len(tools) > MAX_TOOLS:
        yield Problem(("tools",), f"a project's file may add {MAX_TOOLS} tools, found {len(tools)}")
    taken = {_folded(name): name for name in (*TAKEN_TOOLS, *config.all_tools())}
    for name, tool in tools.items():
        if mine := taken.get(_folded(name)):
            yield Problem(
                ("tools", name),
                f"{'is' if name == mine else 'looks like'} {mine!r}, a tool that you have already; "
                "a project's file may not replace it",
                "choose another name",
            )
        for place, model in enumerate(tool.models):
            if reason := _refused_backend(model.partition("/")[0], config):
                yield Problem(("tools", name, "models", place), *reason)
        judge = tool.verify_model.partition("/")[0]
        if judge and (reason := _refused_backend(judge, config)):
            yield Problem(("tools", name, "verify_model"), *reason)
        for path, text in _texts(tool):
            if len(text) > MAX_TEXT:
                what = f"takes at most {MAX_TEXT} characters in a project's file, found {len(text)}"
                yield Problem(("tools", name, *path), what)


def _refused_backend(name: str, config: Config) -> tuple[str, str] | None:
    backend = config.backends.get(name)
    if name == EMBEDDED:
        return None
    if backend is None:
        local = [known for known, other in config.backends.items() if other.trust != "cloud"]
        return no_such(
            "backend", name, [*local, EMBEDDED]
        ), "backends are defined in your own config"
    if backend.trust == "cloud":
        return (
            f"the backend {name!r} is a cloud; a project's tools use local backends only",
            "put the tool into your own config if you trust it with that",
        )
    return None


def _texts(tool: ToolConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Walk through the texts of a tool that Claude sees."""
    yield ("use_for",), tool.use_for
    yield ("avoid_for",), tool.avoid_for
    for parameter, text in tool.parameters.items():
        yield ("parameters", parameter), text
    for place, label in enumerate(tool.labels):
        yield ("labels", place), label


def _folded(name: str) -> str:
    """Return what names that look alike have in common; docs/configuration.md lists the signs."""
    folded = name.lower().translate(_LOOKALIKES)
    for pair, letter in _LOOKALIKE_PAIRS.items():
        folded = folded.replace(pair, letter)
    return re.sub(r"(.)\1+", r"\1", folded)
