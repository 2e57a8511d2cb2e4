"""Load the user's config file, and what a project's file adds to it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.config.toml_reader import decode, parse, read_text
from spadework.errors import ConfigError
from spadework.util.paths import CONFIG_VARIABLE, PROJECT_CONFIG_NAME, user_config_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from spadework.config.error_report import Problem
    from spadework.config.models import Config, ConfigSection, ToolConfig

    SectionT = TypeVar("SectionT", bound=ConfigSection)


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A config, the file that it came from, and whether that file is there."""

    config: Config
    path: Path
    exists: bool


def load_config(path: Path | None = None) -> LoadedConfig:
    """Load the config file, or the defaults where there is none.

    Args:
        path: the file, which then must exist. None: the one that `SPADEWORK_CONFIG` names, which
            must exist too, else the platform's, which need not.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    from spadework.config.models import Config  # noqa: PLC0415 - pydantic is heavy

    named = path is not None or bool(os.environ.get(CONFIG_VARIABLE))
    file = (path.expanduser() if path else user_config_file()).absolute()
    if not named and not os.path.lexists(file):
        return LoadedConfig(Config(), file, exists=False)
    try:
        text = read_text(file)
    except ConfigError as error:
        hint = f"--config or {CONFIG_VARIABLE} names it; `spadework config init` writes one"
        raise ConfigError(str(error), hint=error.hint or hint) from None
    return LoadedConfig(_validated(Config, parse(text, file), text, file), file, exists=True)


def load_project_tools(project: Path, config: Config) -> dict[str, ToolConfig]:
    """Load the tools that a project's `.spadework.toml` adds; empty where there is none.

    Its tools get local models only: the engine sees to that.

    Args:
        project: the project's folder.
        config: the user's config, whose backends the tools may name.

    Raises:
        ConfigError: the file is wrong, or sets what a project may not set.
    """
    from spadework.config import project_file as rules  # noqa: PLC0415 - most projects have no such file
    from spadework.config.error_report import report  # noqa: PLC0415 - as above
    from spadework.config.models import ProjectConfig  # noqa: PLC0415 - pydantic is heavy

    file = project.absolute() / PROJECT_CONFIG_NAME
    content = rules.read_project_file(file, project)
    if content is None:
        return {}
    text = decode(content, file)
    rules.refuse_endless_keys(text, file)
    document = parse(text, file)
    beyond = rules.beyond_tools(document)
    allowed = {key: rules.cleaned(value) for key, value in document.items() if key in rules.KEYS}
    tools = _validated(ProjectConfig, allowed, text, file, beyond).tools
    if refused := list(rules.refused_tools(tools, config)):
        raise report(refused, text, file)
    return tools


def _validated(
    model: type[SectionT],
    document: Mapping[str, Any],
    text: str,
    file: Path,
    already: Iterable[Problem] = (),
) -> SectionT:
    """Check a document against its model; all problems, and those found already, make one error."""
    from pydantic import ValidationError  # noqa: PLC0415 - pydantic is heavy

    from spadework.config.error_report import (  # noqa: PLC0415 - as above
        forbidden_values,
        problems_of,
        report,
    )

    problems = {problem.path: problem for problem in forbidden_values(document)}
    try:
        valid = model.model_validate(document, context={"folder": file.parent})
    except ValidationError as error:
        for problem in problems_of(error, model):
            problems.setdefault(problem.path, problem)
    everything = [*already, *problems.values()]
    if everything:
        raise report(everything, text, file)
    return valid
