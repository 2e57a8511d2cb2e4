"""What each agent should run on, tier by tier, and which of that is worth a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from spadework.claude_code.agents import model_names
from spadework.claude_code.agents.model_resolution import resolve
from spadework.claude_code.agents.tiering import place, reasons

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spadework.claude_code.agents.definitions import Agent
    from spadework.claude_code.agents.model_resolution import Resolution, Setup
    from spadework.claude_code.agents.tiering import Tier

Action = Literal["set", "copy", "new", "keep"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Where an agent belongs and what to do.

    `set`: name the model in its file. `copy`, `new`: for plugins' and built-in agents, whose files
    the user does not own; a command is proposed. `keep`: it is right, or the user's own choice.
    """

    agent: Agent
    tier: Tier | None
    why: str
    now: Resolution
    action: Action
    say: str


def suggest(agents: Iterable[Agent], setup: Setup) -> list[Suggestion]:
    """Judge every agent that the client uses."""
    return [_suggestion(agent, setup) for agent in agents if agent.counts]


def _suggestion(agent: Agent, setup: Setup) -> Suggestion:
    placed, now = place(agent), resolve(agent, setup)
    tier, why = placed.tier, placed.why
    if agent.source == "built-in" and agent.name != "Explore":
        tier, why = ("opus" if agent.name == "Plan" else "sonnet"), "the client's own"
    action, say = _action(agent, tier, now)
    return Suggestion(agent, tier, why, now, action, say)


def _action(agent: Agent, tier: Tier | None, now: Resolution) -> tuple[Action, str]:
    if tier is None:
        return "keep", "judge for yourself"
    if reason := _why_kept(agent, tier, now):
        return "keep", reason
    if agent.source == "built-in":
        return "new", "`spadework agents new explorer --name Explore`"
    if agent.source == "plugin":
        return "copy", f"`spadework agents copy {agent.name} --model {tier}`"
    return "set", f"set `model: {tier}`"


def _why_kept(agent: Agent, tier: Tier, now: Resolution) -> str:
    if now.family == tier:
        return "it is right"
    if agent.source == "built-in" and (agent.name != "Explore" or now.family == "sonnet"):
        return "it follows the main model"
    return "your own choice" if _is_chosen(agent, tier) else ""


def _is_chosen(agent: Agent, tier: Tier) -> bool:
    """Whether the user's model is a choice to keep: sonnet for opus' work, or a dearer one."""
    if not agent.model or agent.model.lower() == "inherit" or not model_names.is_known(agent.model):
        return False
    named = model_names.family(agent.model)
    if tier == "haiku":
        return named == "sonnet"
    return named != "haiku" or not reasons(agent)
