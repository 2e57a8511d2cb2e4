"""The skills of the user, the project and the plugins, as far as their model goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.claude_code.agents.agent_files import project_folders, read_text
from spadework.claude_code.agents.definitions import Skill, Source
from spadework.claude_code.agents.frontmatter import read_frontmatter
from spadework.claude_code.plugins import enabled_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from spadework.claude_code.claude_paths import Places


def read_skills(places: Places) -> list[Skill]:
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
