"""Agents, findings and suggestions, for a person, a pipe and a program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.claude_code.agents.changes import diff_of
from spadework.claude_code.agents.model_resolution import resolve
from spadework.claude_code.agents.tiering import TIERS
from spadework.cli.console import print_table
from spadework.util.text_cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.agents.changes import AgentChange
    from spadework.claude_code.agents.definitions import Agent, LintFinding
    from spadework.claude_code.agents.inventory import AgentInventory
    from spadework.claude_code.agents.model_resolution import Setup
    from spadework.claude_code.agents.suggestions import Suggestion
    from spadework.claude_code.claude_paths import Places


def agent_data(agent: Agent, setup: Setup, findings: Sequence[LintFinding]) -> dict[str, Any]:
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
        "findings": [finding_data(one) for one in _of(agent, findings)],
    }


def finding_data(finding: LintFinding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        "code": finding.code,
        "level": finding.level,
        "agent": finding.agent or None,
        "path": str(finding.path) if finding.path else None,
        "line": finding.line or None,
        "message": finding.message,
        "cure": finding.cure,
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


def print_agents(survey: AgentInventory, findings: Sequence[LintFinding]) -> None:
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


def print_findings(findings: Sequence[LintFinding]) -> None:
    """Print two lines for each finding: what and where, and the cure."""
    for one in findings:
        where = f"{one.path}:{one.line}: " if one.path else ""
        print(_clean(f"{where}{one.level}: {one.message} [{one.code}]"))
        print(_clean(f"  cure: {one.cure}"))
    if not findings:
        print("ok: nothing found")


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


def print_diff(change: AgentChange) -> None:
    """Print a change as a unified diff, in colours on a terminal."""
    text = diff_of(change)
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "cyan"}
    console = Console(highlight=False, soft_wrap=True)
    for line in text.split("\n"):
        console.print(Text(line, style=styles.get(line[:1], "")))


def _of(agent: Agent, findings: Sequence[LintFinding]) -> list[LintFinding]:
    if agent.path is None:
        return [one for one in findings if one.path is None and one.agent == agent.name]
    return [one for one in findings if one.path == agent.path]


def _short(agent: Agent, places: Places) -> str:
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
