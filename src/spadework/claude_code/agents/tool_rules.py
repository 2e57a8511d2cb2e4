"""Rules about the tools that an agent has, names or is denied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework.claude_code.agents.file_rules import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.claude_code.agents.definitions import Agent
    from spadework.util.finding import Finding

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
