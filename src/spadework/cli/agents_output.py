"""Agents, findings and suggestions, for a person, a pipe and a program."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.agents.agent_models import resolve
from spadework.claude_code.agents.tiering import TIERS
from spadework.cli.console import print_table
from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.agents.agent_models import Setup
    from spadework.claude_code.agents.definitions import Agent
    from spadework.claude_code.agents.inventory import AgentInventory
    from spadework.claude_code.agents.tiering import Suggestion
    from spadework.claude_code.claude_client import ClaudePaths
    from spadework.claude_code.undo_journal import FileChange
    from spadework.util.finding import Finding


def agent_data(agent: Agent, setup: Setup, findings: Sequence[Finding]) -> dict[str, Any]:
    """An agent as JSON."""
    resolved = None if agent.dropped else resolve(agent, setup)
    return {
        "name": agent.name,
        "source": agent.source,
        "path": str(agent.path) if agent.path else None,
        "description": agent.description,
        "model": agent.model,
        "resolves_to": resolved.model if resolved else None,
        "because": resolved.why if resolved else None,
        "tools": None if agent.tools is None else list(agent.tools),
        "disallowed_tools": list(agent.denied),
        "dropped": agent.dropped or None,
        "shadowed_by": agent.shadowed_by or None,
        "findings": [one.as_data() for one in _of(agent, findings)],
    }


def suggestion_data(suggestion: Suggestion) -> dict[str, Any]:
    """A suggestion as JSON."""
    return {
        "agent": suggestion.agent.name,
        "source": suggestion.agent.source,
        "path": str(suggestion.agent.path) if suggestion.agent.path else None,
        "tier": suggestion.tier,
        "why": suggestion.why,
        "resolves_to": suggestion.now.model,
        "action": suggestion.action,
        "say": suggestion.say,
    }


def print_agents(survey: AgentInventory, findings: Sequence[Finding]) -> None:
    """Print a row for each agent."""
    rows = []
    for agent in survey.agents:
        resolved = resolve(agent, survey.setup)
        runs_on = f"{resolved.model} ({resolved.why})"
        if agent.dropped or agent.shadowed_by:
            runs_on = "not loaded" if agent.dropped else "shadowed"
        rows.append(
            [
                agent.name or "(no name)",
                agent.source,
                agent.model or "",
                runs_on,
                "all" if agent.tools is None else ", ".join(agent.tools),
                ", ".join(one.code for one in _of(agent, findings)),
                _short(agent, survey.places),
            ]
        )
    header = ["name", "from", "model", "runs on", "tools", "findings", "file"]
    print_table(header, [[_clean(cell) for cell in row] for row in rows], spare=["tools", "file"])


def print_suggestions(suggestions: Sequence[Suggestion]) -> None:
    """Print the tiers one by one, each agent on a line with why it belongs there."""
    groups: list[tuple[str | None, str]] = [
        (tier, f"{tier}: {what}") for tier, what in TIERS.items()
    ]
    for tier, title in [*groups, (None, "no tier: nothing tells what these are for")]:
        members = [one for one in suggestions if one.tier == tier]
        if tier is None and not members:
            continue
        print(title)
        for one in members:
            mark = "  " if one.action == "keep" else "->"
            runs_on = f"runs on: {one.now.model}"
            print(_clean(f"  {mark} {one.agent.name} ({one.agent.source}): {one.why}; {runs_on}"))
            print(_clean(f"       {one.say}"))
        if not members:
            print("     none")
    count = sum(one.action == "set" for one in suggestions)
    if count:
        print(f"{count} to set: `spadework agents suggest --apply` shows the changes and asks")


def print_diff(change: FileChange) -> None:
    """Print a change as a unified diff, in colours on a terminal."""
    text = _diff(change)
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "cyan"}
    console = Console(highlight=False, soft_wrap=True)
    for line in text.split("\n"):
        console.print(Text(line, style=styles.get(line[:1], "")))


def _diff(change: FileChange) -> str:
    """Write a change as a unified diff, for a person: control characters are taken out."""
    old, new = (_lines(content) for content in (change.before, change.after))
    name = str(change.path)
    lines = difflib.unified_diff(old, new, "/dev/null" if change.before is None else name, name)
    return clean("".join(lines))[0].rstrip("\n")


def _lines(content: bytes | None) -> list[str]:
    if not content:
        return []
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = [f"{line}\n" for line in text.removesuffix("\n").split("\n")]
    if not text.endswith("\n"):
        lines[-1] += "\\ No newline at end of file\n"
    return lines


def _of(agent: Agent, findings: Sequence[Finding]) -> list[Finding]:
    if agent.path is None:
        return [one for one in findings if one.path is None and one.where == agent.name]
    return [one for one in findings if one.path == agent.path]


def _short(agent: Agent, places: ClaudePaths) -> str:
    """Write a file's path short for a person, whole for a program."""
    path = agent.path
    if path is None:
        return ""
    if not sys.stdout.isatty():
        return str(path)
    if path.is_relative_to(Path.home()) and not path.is_relative_to(places.project):
        return f"~/{path.relative_to(Path.home())}"
    return (
        str(path.relative_to(places.project)) if path.is_relative_to(places.project) else str(path)
    )


def _clean(text: str) -> str:
    """Agent files are written by others: no control characters, one line."""
    return " ".join(clean(text)[0].split()) if "\n" in text or "\t" in text else clean(text)[0]
