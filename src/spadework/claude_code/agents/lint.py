"""The rules: what is wrong with agents and skills, or could be cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.claude_code.agents import agent_models
from spadework.claude_code.agents.agent_models import FORCE, SUBAGENT_MODEL, resolve
from spadework.claude_code.agents.agent_rules import about_file, about_tools, finding
from spadework.claude_code.agents.tiering import place, reads_only, reasons
from spadework.util.finding import SEVERITIES, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spadework.claude_code.agents.agent_models import Setup
    from spadework.claude_code.agents.definitions import Agent, Skill

_CHEAP = ("haiku",)
_NOT_DEAR = ("haiku", "sonnet")


def all_findings(agents: Sequence[Agent], skills: Iterable[Skill], setup: Setup) -> list[Finding]:
    """Apply every rule; errors first, then by file and line."""
    found = [
        *_about_variables(setup),
        *(one for agent in agents for one in findings_of(agent, setup)),
        *_duplicates(agents),
        *_explore(agents, setup),
        *(one for skill in skills for one in _about_skill(skill)),
    ]
    return sorted(
        found,
        key=lambda one: (
            -SEVERITIES.index(one.severity),
            str(one.path or ""),
            one.line,
            one.code,
        ),
    )


def findings_of(agent: Agent, setup: Setup) -> list[Finding]:
    """Apply the rules that look at one agent."""
    if agent.source == "built-in":
        return []
    found = [*about_file(agent)]
    if agent.dropped:
        return found
    if agent.shadowed_by:
        found.append(
            finding(
                "shadowed",
                "note",
                agent,
                "name",
                f"not used: the {agent.shadowed_by} counts",
                "delete or rename one of them",
            )
        )
        return found
    return [*found, *_about_model(agent, setup), *about_tools(agent)]


def _about_model(agent: Agent, setup: Setup) -> Iterator[Finding]:
    model = agent.model or ""
    entry = agent.read.get("model") if agent.read else None
    if entry is not None and entry.kind in {"list", "other"}:
        yield finding(
            "unknown-model",
            "error",
            agent,
            "model",
            "its `model` is not a string, so the client ignores it",
            "write one name, such as `model: haiku`",
        )
    if model and not agent_models.is_known(model):
        yield finding(
            "unknown-model",
            "note" if setup.other_provider else "error",
            agent,
            "model",
            f"the client knows no model {model!r} and sends the name to the API as it stands",
            "haiku, sonnet, opus, inherit or a full `claude-…` id; a local model is reached "
            "through a tool: `spadework agents new courier`",
        )
    if agent_models.has_long_context(model):
        yield finding(
            "long-context",
            "warning",
            agent,
            "model",
            f"{model!r} asks for the window of a million tokens, which costs more and is not in "
            "every plan",
            f"`{agent_models.without_long_context(model)}`, unless the agent needs it",
        )
    yield from _about_tier(agent, setup)


def _about_tier(agent: Agent, setup: Setup) -> Iterator[Finding]:
    resolved, placed = resolve(agent, setup), place(agent)
    if agent.model and not agent_models.is_known(agent.model):
        return
    if placed.tier == "haiku" and resolved.family not in _NOT_DEAR:
        kind = "reads" if reads_only(agent) else "explores, sums up or sorts"
        yield finding(
            "dear-reader",
            "warning",
            agent,
            "model" if "model" in agent.lines else "name",
            f"it {kind} ({placed.why}) and runs on: {resolved.model} ({resolved.why})",
            _edit(agent, "haiku"),
        )
    if resolved.family in _CHEAP and (word := reasons(agent)):
        better = "opus" if placed.tier == "opus" else "sonnet"
        yield finding(
            "weak-reasoner",
            "warning",
            agent,
            "model" if "model" in agent.lines else "name",
            f"it reasons (`{word}` in its name) and runs on: {resolved.model} ({resolved.why})",
            _edit(agent, better),
        )


def _edit(agent: Agent, model: str) -> str:
    if agent.source == "plugin":
        return f"`spadework agents copy {agent.name} --model {model}` makes one of your own"
    return f"`spadework agents set {agent.name} {model}`"


def _about_variables(setup: Setup) -> Iterator[Finding]:
    if setup.is_forced:
        yield Finding(
            "warning",
            "forced-model",
            "",
            f"{FORCE} is set in {setup.force.where}: the models of all agents are ignored",
            f"unset {FORCE}",
        )
    if setup.subagent_model.value:
        value, where = setup.subagent_model.value, setup.subagent_model.where
        yield Finding(
            "warning",
            "subagent-model-variable",
            "",
            f"{SUBAGENT_MODEL} is {value} in {where}: it counts for agents that name no model, and "
            "in older clients (2.1.197) for all",
            f"unset {SUBAGENT_MODEL} and name the model in each agent",
        )


def _explore(agents: Iterable[Agent], setup: Setup) -> Iterator[Finding]:
    built_in = next(
        (one for one in agents if one.source == "built-in" and one.name == "Explore"), None
    )
    if built_in is None or built_in.shadowed_by:
        return
    resolved = resolve(built_in, setup)
    if resolved.family not in _NOT_DEAR:
        yield Finding(
            "warning",
            "explore-on-main",
            "Explore",
            f"Explore: the built-in agent that searches runs on: {resolved.model}",
            "`spadework agents new explorer --name Explore` puts one on haiku in its place",
        )


def _duplicates(agents: Iterable[Agent]) -> Iterator[Finding]:
    seen: dict[tuple[object, ...], Agent] = {}
    for agent in agents:
        if agent.dropped or agent.path is None or agent.source == "built-in":
            continue
        folder = agent.path.parent if agent.source == "project" else ""
        other = seen.setdefault((agent.name, agent.source, folder), agent)
        if other is not agent:
            said = f"{other.path} has the same name; only one of them counts"
            yield finding("duplicate-name", "warning", agent, "name", said, "rename one of them")


def _about_skill(skill: Skill) -> Iterator[Finding]:
    if skill.problem:
        yield Finding(
            "error",
            "bad-skill",
            skill.name,
            f"skill {skill.name}: {skill.problem}",
            "put the value in quotes",
            path=skill.path,
            line=1,
        )
    elif skill.model and not skill.forks:
        yield Finding(
            "warning",
            "skill-model",
            skill.name,
            f"skill {skill.name}: its `model: {skill.model}` counts only when you type "
            f"/{skill.name}; when Claude takes the skill, it runs on the model in use",
            "add `context: fork`, or take `model` out",
            path=skill.path,
            line=skill.model_line,
        )
