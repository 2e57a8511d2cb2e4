"""Rules about an agent's file, its frontmatter and its tools."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.claude_code.agents.agent_files import NO_FRONTMATTER, wrong_name
from spadework.util.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.claude_code.agents.definitions import Agent, Code
    from spadework.claude_code.agents.frontmatter import Frontmatter
    from spadework.util.finding import Severity


def finding(
    code: Code, severity: Severity, agent: Agent, key: str, message: str, cure: str
) -> Finding:
    """Make a finding at the line of a key; the first line where it is not there."""
    named = agent.name or (agent.path.name if agent.path else "")
    line = agent.lines.get(key, 1)
    return Finding(severity, code, agent.name, f"{named}: {message}", cure, agent.path, line)


def about_file(agent: Agent) -> Iterator[Finding]:
    """Judge the file as such."""
    if agent.dropped == NO_FRONTMATTER:
        yield finding(
            "no-frontmatter",
            "note",
            agent,
            "",
            "no agent: it has no frontmatter",
            "begin the file with `---`, name, description and `---`, or move it out of agents/",
        )
        return
    if agent.read is not None and agent.read.cut_line:
        yield replace(
            finding(
                "cut-frontmatter",
                "error",
                agent,
                "",
                "the client sees the end of the frontmatter in the middle of this line, at `---`; "
                "what follows is lost",
                "write something else than `---` there",
            ),
            line=agent.read.cut_line,
        )
    if agent.dropped:
        code, key, cure = _why_dropped(agent)
        said = f"the client drops it with no word: {agent.dropped}"
        yield finding(code, "error", agent, key, said, cure)
        return
    if "\ufffd" in agent.text:
        said = "it holds bytes that are not UTF-8, so it cannot be edited here"
        yield finding("no-utf-8", "note", agent, "", said, "save it as UTF-8")
    if agent.read is not None:
        yield from _about_yaml(agent, agent.read)


def _why_dropped(agent: Agent) -> tuple[Code, str, str]:
    """Name the rule, the key that it is about, and the cure."""
    read = agent.read
    if read is None:
        return "unreadable", "", "give it to its owner to read"
    if read.problem:
        return "bad-frontmatter", "", "fix the YAML; quote a value that contains `: `"
    name = read.get("name")
    if name is None or name.kind != "text" or not name.text:
        return "no-name", "name", "add `name:` with a text"
    if wrong_name(name.text):
        return "bad-name", "name", "choose a name of letters, digits and `-`"
    return "no-description", "description", "add `description:`, which says when to use it"


def _about_yaml(agent: Agent, read: Frontmatter) -> Iterator[Finding]:
    if read.loose:
        yield finding(
            "loose-yaml",
            "note",
            agent,
            "",
            "no valid YAML; the client reads it on a second try, other programs do not",
            "put the value that holds `: ` or another sign in quotes",
        )
    for key in dict.fromkeys(entry.key for entry in read.entries):
        lines = [entry.line for entry in read.entries if entry.key == key]
        if len(lines) > 1:
            said = f"`{key}` stands on lines {', '.join(map(str, lines))}; the last one counts"
            yield finding("duplicate-key", "warning", agent, key, said, "delete all but one")


SERVER = "spadework"
_NAMED_TOOL = re.compile(rf"mcp__(?:plugin_\w{1, 64}?_)?{SERVER}(?:__\w+)?")


def about_tools(agent: Agent) -> Iterator[Finding]:
    """Judge an agent's tools."""
    allowed = agent.tools or ()
    denied = [tool for tool in allowed if any(_covers(no, tool) for no in agent.denied)]
    if denied:
        yield finding(
            "denies-own-tools",
            "error",
            agent,
            "disallowedTools",
            f"it is denied tools that it is given: {', '.join(denied)}",
            "take them out of `disallowedTools` or out of `tools`",
        )
    if agent.tools is None:
        return
    missing = [
        named
        for named in dict.fromkeys(_NAMED_TOOL.findall(agent.body))
        if not any(_covers(tool, named) or _covers(named, tool) for tool in allowed)
    ]
    if missing:
        yield finding(
            "missing-delegation-tools",
            "warning",
            agent,
            "tools",
            f"its text speaks of tools that it does not have: {', '.join(missing)}",
            f"add mcp__{SERVER} to `tools`",
        )


def _covers(rule: str, tool: str) -> bool:
    """Whether a name in a list means a tool: the same, or its whole server."""
    server = rule.removesuffix("__*")
    if rule in {"*", tool}:
        return True
    return server.startswith("mcp__") and tool.startswith(f"{server}__")
