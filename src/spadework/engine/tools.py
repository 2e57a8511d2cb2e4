"""The tools of a session: the user's, and those that its project adds."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from spadework.config.models import OPTIONAL_MARK
from spadework.config.project_file import load_project_tools
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spadework.config.models import Config, ToolConfig


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
    """Return what the project's `.spadework.toml` adds.

    Raises:
        ConfigError: the file is wrong, or adds what a project may not.
    """
    added = load_project_tools(project, config)
    return {name: Tool(name, tool, from_project=True) for name, tool in added.items()}


def all_tools(project: Path, config: Config) -> dict[str, Tool]:
    """Every tool of a session by name: the user's, then what its project adds.

    Raises:
        ConfigError: the project's file is wrong.
    """
    return user_tools(config) | project_tools(project, config)


def find_tool(name: str, project: Path, config: Config) -> Tool:
    """Find a tool by name; a project's broken file does not hide the user's tools.

    Raises:
        ArgumentError: the tool is unknown.
        ConfigError: it could only be the project's, and its file is wrong.
    """
    tools = user_tools(config)
    if name not in tools:
        tools |= project_tools(project, config)
    if name not in tools:
        near = get_close_matches(name, tools, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ArgumentError(f"unknown tool {name!r}", hint=f"{meant}the tools: {', '.join(tools)}")
    return tools[name]


def local_only_tools(tools: Mapping[str, Tool]) -> tuple[str, ...]:
    """Name the tools that no list in the user's config opens to other models than local ones."""
    return tuple(
        name for name, tool in tools.items() if tool.from_project or not tool.config.models
    )
