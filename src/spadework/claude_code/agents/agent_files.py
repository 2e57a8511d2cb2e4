"""Finds every agent and skill that the client would find, and which of the same name counts."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.agents.definitions import Agent, Skill, Source
from spadework.claude_code.agents.frontmatter import read_frontmatter
from spadework.claude_code.plugins import enabled_plugins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spadework.claude_code.agents.frontmatter import Frontmatter, FrontmatterKey
    from spadework.claude_code.claude_client import ClaudePaths
    from spadework.claude_code.plugins import Plugin

LONGEST_NAME = 256
NO_FRONTMATTER = "it has no frontmatter"

# What the client brings along; measured on 2.1.330.
BUILT_IN = (
    Agent("Explore", "built-in", description="Searches code, read-only.", model="inherit"),
    Agent("Plan", "built-in", description="Plans an implementation, read-only.", model="inherit"),
    Agent("general-purpose", "built-in", description="Works on a task of several steps."),
)


def read_agents(places: ClaudePaths) -> list[Agent]:
    """Read all agents: the project's, the user's, the plugins' and the built-in ones, by name."""
    agents = [*BUILT_IN]
    for plugin in enabled_plugins(places):
        agents += _plugin_agents(plugin)
    seen: set[tuple[int, int]] = set()
    agents += _agents_in(places.agents["user"], "user", seen)
    for folder in reversed(project_folders(places)):
        agents += _agents_in(folder / ".claude" / "agents", "project", seen)
    return sorted(_shadowed(agents), key=lambda agent: (agent.name.casefold(), agent.name))


def project_folders(places: ClaudePaths) -> list[Path]:
    """The folders whose `.claude/agents` count: from where the client is started to its git root.

    The home folder and those above it are none: what lies there is the user's.
    """
    start, home = places.project.resolve(), Path.home().resolve()
    folders = []
    for folder in (start, *start.parents):
        if folder == home:
            break
        folders.append(folder)
        if (folder / ".git").exists():
            break
    return folders


def project_root(places: ClaudePaths) -> Path:
    """The folder that a new agent of the project is written below."""
    folders = project_folders(places)
    if folders and (folders[-1] / ".git").exists():
        return folders[-1]
    return places.project


def _agents_in(folder: Path, source: Source, seen: set[tuple[int, int]]) -> Iterator[Agent]:
    """Read a folder and those below it; a file that was seen under another name is left out."""
    for path in markdown_files(folder):
        identity = _identity(path)
        if identity is None or identity not in seen:
            seen |= {identity} if identity else set()
            yield read_agent(path, source)


def markdown_files(folder: Path) -> list[Path]:
    """Every `.md` file below a folder, sorted; links to folders are followed, once each."""
    found, visited = [], set()
    for name, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(name)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        found += [Path(name) / file for file in files if file.endswith(".md")]
    return sorted(found)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def read_agent(path: Path, source: Source) -> Agent:
    """Read one agent file of the user or of a project."""
    text, problem = read_text(path)
    if problem:
        return Agent("", source, path, dropped=problem)
    read = read_frontmatter(text)
    if read is None:
        return Agent("", source, path, text=text, dropped=NO_FRONTMATTER)
    agent = _agent(path, source, text, read)
    dropped = _why_dropped(read)
    return replace(agent, dropped=dropped) if dropped else agent


def _why_dropped(read: Frontmatter) -> str:
    """Say why the client leaves an agent out, with no word; empty where it does not."""
    name, description = read.get("name"), read.get("description")
    if read.problem:
        return f"the frontmatter is not valid YAML: {read.problem}"
    if name is None or name.kind != "text" or not name.text:
        return "it has no name"
    if wrong := wrong_name(name.text):
        return f"its name {wrong}"
    if description is None or description.kind != "text" or not description.text:
        return "it has no description"
    return ""


def wrong_name(name: str) -> str:
    """Say what the client does not like about a name; empty if nothing."""
    if name.startswith("-"):
        return "begins with `-`"
    if ":" in unicodedata.normalize("NFKC", name):
        return "holds a `:`, which is for plugins"
    return f"is over {LONGEST_NAME} characters long" if len(name) > LONGEST_NAME else ""


def read_text(path: Path) -> tuple[str, str]:
    """Read a file's text as the client does, with bytes that are not UTF-8 replaced.

    Returns:
        The text, and why the file cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8", "replace"), ""
    except OSError as error:
        return "", f"it cannot be read: {error.strerror}"


def _plugin_agents(plugin: Plugin) -> Iterator[Agent]:
    for place in plugin.agent_places:
        files = markdown_files(place) if place.is_dir() else [place] if place.is_file() else []
        for path in files:
            text, problem = read_text(path)
            read = read_frontmatter(text)
            agent = _agent(path, "plugin", text, read) if read else Agent("", "plugin", path)
            below = path.parent.relative_to(place).parts if place.is_dir() else ()
            name = ":".join((plugin.name, *below, agent.name or path.stem))
            told = agent.description or f"Agent from {plugin.name} plugin"
            yield replace(agent, name=name, description=told, text=text, dropped=problem)


def _agent(path: Path, source: Source, text: str, read: Frontmatter) -> Agent:
    return Agent(
        name=_text(read.get("name")),
        source=source,
        path=path,
        description=_text(read.get("description")),
        model=_text(read.get("model")).strip() or None,
        tools=_tools(read.get("tools")),
        denied=_tools(read.get("disallowedTools")) or (),
        body=text[read.body :],
        text=text,
        read=read,
        lines={entry.key: entry.line for entry in read.entries},
    )


def _text(entry: FrontmatterKey | None) -> str:
    return entry.text if entry is not None and entry.kind == "text" else ""


def _tools(entry: FrontmatterKey | None) -> tuple[str, ...] | None:
    """Take the names of tools; None where all are meant."""
    if entry is None:
        return None
    written = entry.items if entry.kind == "list" else (_text(entry),)
    names = tuple(name for text in written for name in split_tools(text))
    return None if "*" in names else names


def split_tools(text: str) -> list[str]:
    """Split at commas and blanks, but not inside brackets: `Bash(git log, git show)` is one."""
    names, name, inside = [], "", False
    for character in text:
        inside = character == "(" or (inside and character != ")")
        if character in ", " and not inside:
            names.append(name)
            name = ""
        else:
            name += character
    return [one.strip() for one in (*names, name) if one.strip()]


def _shadowed(agents: Iterable[Agent]) -> list[Agent]:
    """Mark those of which another of the same name counts: the last one wins."""
    agents = list(agents)
    winner: dict[str, Agent] = {agent.name: agent for agent in agents if not agent.dropped}
    marked: list[Agent] = []
    for agent in agents:
        wins: Any = winner.get(agent.name)
        if agent.dropped or wins is agent:
            marked.append(agent)
        else:
            marked.append(replace(agent, shadowed_by=f"{wins.source} agent {wins.path}"))
    return marked


def read_skills(places: ClaudePaths) -> list[Skill]:
    """Read every `SKILL.md`, by path."""
    folders: list[tuple[Path, Source]] = [(places.skills["user"], "user")]
    folders += [(one / ".claude" / "skills", "project") for one in project_folders(places)]
    folders += [(plugin.skills, "plugin") for plugin in enabled_plugins(places)]
    return [
        _skill(path, source)
        for folder, source in folders
        for path in sorted(folder.glob("*/SKILL.md"))
    ]


def _skill(path: Path, source: Source) -> Skill:
    name = path.parent.name
    text, problem = read_text(path)
    read = read_frontmatter(text)
    if problem or read is None:
        return Skill(name, source, path, problem=problem)
    model, context = read.get("model"), read.get("context")
    return Skill(
        name=name,
        source=source,
        path=path,
        model=model.text if model is not None and model.kind == "text" else "",
        model_line=model.line if model is not None and model.kind == "text" else 0,
        forks=context is not None and context.text.strip() == "fork",
        problem=f"the frontmatter is not valid YAML: {read.problem}" if read.problem else "",
    )
