"""The tools that a session has: the user's, and those that its project adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeyman.config.load import load_project_tools
from journeyman.config.models import OPTIONAL_MARK

if TYPE_CHECKING:
    from pathlib import Path

    from journeyman.config.models import Config, ToolConfig


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by name; one from a project's file stays on local backends."""

    name: str
    config: ToolConfig
    from_project: bool = False

    @property
    def first_argument(self) -> str:
        """The first required argument: where the command line's prompt goes."""
        return next(name for name in self.config.parameters if not name.endswith(OPTIONAL_MARK))


def user_tools(config: Config) -> dict[str, Tool]:
    """Return the default tools and those of the user's config."""
    return {name: Tool(name, tool) for name, tool in config.all_tools().items()}


def project_tools(project: Path, config: Config) -> dict[str, Tool]:
    """Return what the project's `.journeyman.toml` adds.

    Raises:
        ConfigError: the file is wrong, or adds what a project may not.
    """
    added = load_project_tools(project, config)
    return {name: Tool(name, tool, from_project=True) for name, tool in added.items()}
