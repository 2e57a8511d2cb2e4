"""Rules about a file and its frontmatter: what the client drops, and what it reads otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeyman.claude_code.agents.reading import NO_FRONTMATTER
from journeyman.claude_code.agents.values import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from journeyman.claude_code.agents.values import Agent


def finding(code: str, level: Level, agent: Agent, key: str, message: str, cure: str) -> Finding:
    """Make a finding at the line of a key; the first line where it is not there."""
    named = agent.name or (agent.path.name if agent.path else "")
    line = agent.lines.get(key, 1)
    return Finding(code, level, f"{named}: {message}", cure, agent.name, agent.path, line)


def about_file(agent: Agent) -> Iterator[Finding]:
    """Judge the file as such."""
    read, dropped = agent.read, agent.dropped
    if dropped == NO_FRONTMATTER:
        yield finding(
            "no-frontmatter",
            "note",
            agent,
            "",
            "no agent: it has no frontmatter",
            "begin the file with `---`, name, description and `---`, or move it out of agents/",
        )
        return
    if read is not None and read.cut_line:
        yield Finding(
            "cut-frontmatter",
            "error",
            f"{agent.name or agent.dropped}: the client sees the end of the frontmatter in the "
            "middle of this line, at `---`; what follows is lost",
            "write something else than `---` there",
            agent.name,
            agent.path,
            read.cut_line,
        )
    if dropped:
        code, key, cure = _DROPPED.get(dropped, ("dropped", "name", "mend it"))
        if read is not None and read.problem:
            code, key, cure = "bad-frontmatter", "", "put the value in quotes"
        elif read is None:
            code, key, cure = "unreadable", "", "make it a readable file in UTF-8"
        elif dropped.startswith("its name"):
            code, key, cure = "bad-name", "name", "choose a name of letters, digits and `-`"
        said = f"the client drops it with no word: {dropped}"
        yield finding(code, "error", agent, key, said, cure)
        return
    if read is not None and read.loose:
        yield finding(
            "loose-yaml",
            "note",
            agent,
            "",
            "no valid YAML; the client reads it on a second try, other programs do not",
            "put the value that holds `: ` or another sign in quotes",
        )
    for key in dict.fromkeys(entry.key for entry in read.entries) if read else ():
        lines = [entry.line for entry in read.entries if entry.key == key] if read else []
        if len(lines) > 1:
            said = f"`{key}` stands on lines {', '.join(map(str, lines))}; the last one counts"
            yield finding("duplicate-key", "warning", agent, key, said, "delete all but one")


_DROPPED = {
    "it has no name": ("no-name", "name", "add `name:` with a text"),
    "it has no description": (
        "no-description",
        "description",
        "add `description:`, which says when to use it",
    ),
}
