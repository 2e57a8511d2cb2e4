"""Which tier of the Claude family an agent's work belongs to, why, and what to change for it.

haiku: exploration, summarization, classification. sonnet: main reasoning, implementation. opus:
deep analysis, architecture. A name says it first, by its last telling word, as names in English
do (a plan-summarizer summarizes); then the description; then the tools.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from spadework.claude_code.agents import agent_models
from spadework.claude_code.agents.agent_models import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spadework.claude_code.agents.agent_models import Resolution, Setup
    from spadework.claude_code.agents.definitions import Agent

Tier = Literal["haiku", "sonnet", "opus"]
TIERS: dict[Tier, str] = {
    "haiku": "exploration, summarization, classification",
    "sonnet": "main reasoning, implementation",
    "opus": "deep analysis, architecture",
}

# The beginnings of words.
_TELLING: dict[Tier, str] = {
    "haiku": (
        "explor search find lookup locat scan read map index inventor summar digest classif "
        "categor label tag triag sort extract collect gather fetch retriev transcri courier "
        "messenger log list changelog glossar translat"
    ),
    "sonnet": (
        "implement code coding develop engineer build write writing program refactor test fix "
        "review debug migrat integrat frontend backend devops analys analyz research"
    ),
    "opus": (
        "architect strateg design plan threat audit security root-cause investigat tradeoff "
        "trade-off deep-analysis"
    ),
}
_STEMS = {tier: tuple(words.split()) for tier, words in _TELLING.items()}
# A shorter stem counts in its own forms only: `plan` in planner and planning, not in plant.
_WHOLE = 5
REASONING = ("architect", "plan", "review", "debug", "audit", "strateg", "analys", "investigat")

READ_ONLY_TOOLS = {
    *("Read", "Grep", "Glob", "LS", "NotebookRead", "WebFetch", "WebSearch", "TodoWrite"),
    "ToolSearch",
}
_TOLD = 400
"""Characters of a description that tell what an agent is for; examples follow."""


@dataclass(frozen=True, slots=True)
class TierChoice:
    """A tier, and by what word or tools; `tier` is None where nothing tells."""

    tier: Tier | None
    why: str


def place(agent: Agent) -> TierChoice:
    """Say where an agent belongs."""
    for word in reversed(_words(agent.name.rpartition(":")[2])):
        if tier := _tier_of(word):
            return TierChoice(tier, f"`{word}` in its name")
    if reads_only(agent) and any(tool.startswith("mcp__") for tool in agent.tools or ()):
        return TierChoice("haiku", "its tools only read and delegate")
    found = _counted(_words(_first_part(agent.description)))
    if found:
        # Where two tiers are told as often, the abler one: a wrong saving costs more.
        told = max(found, key=lambda one: (len(found[one]), list(TIERS).index(one)))
        words = ", ".join(f"`{word}`" for word in dict.fromkeys(found[told]))
        return TierChoice(told, f"{words} in its description")
    if reads_only(agent):
        return TierChoice("haiku", "its tools only read")
    return TierChoice(None, "neither name, description nor tools tell what it is for")


def reads_only(agent: Agent) -> bool:
    """Whether all its tools read, search or delegate."""
    return bool(agent.tools) and all(
        tool.partition("(")[0] in READ_ONLY_TOOLS or tool.startswith("mcp__")
        for tool in agent.tools or ()
    )


def reasons(agent: Agent) -> str:
    """Find the word that says it reasons (architect, planner, …); empty where there is none."""
    words = reversed(_words(agent.name.rpartition(":")[2]))
    told = next((word for word in words if _tier_of(word)), "")
    return told if told.startswith(REASONING) else ""


def _words(text: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return [word.lower() for word in re.findall(r"[^\W\d_]+(?:-cause|-off|-analysis)?", spaced)]


def _first_part(description: str) -> str:
    first = re.split(r"<example|\\n|\bExamples?:", description, maxsplit=1)[0][:_TOLD]
    first = re.sub(r"(?i)\bdeep(?:ly)?[ -]analy\w+", "deep-analysis", first)
    return re.sub(r"(?i)\broot cause\b", "root-cause", first)


def _counted(words: Iterable[str]) -> dict[Tier, list[str]]:
    found: dict[Tier, list[str]] = {}
    for word in words:
        if tier := _tier_of(word):
            found.setdefault(tier, []).append(word)
    return found


def _tier_of(word: str) -> Tier | None:
    return next(
        (tier for tier, stems in _STEMS.items() if any(_has(word, stem) for stem in stems)), None
    )


def _has(word: str, stem: str) -> bool:
    return word.startswith(stem) if len(stem) >= _WHOLE else word in _forms(stem)


def _forms(stem: str) -> set[str]:
    double = stem.removesuffix("e") + ("" if stem.endswith("e") else stem[-1])
    return {stem, *(f"{one}{end}" for one in (stem, double) for end in ("s", "er", "ers", "ing"))}


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
    if (
        not agent.model
        or agent.model.lower() == "inherit"
        or not agent_models.is_known(agent.model)
    ):
        return False
    named = agent_models.family(agent.model)
    if tier == "haiku":
        return named == "sonnet"
    return named != "haiku" or not reasons(agent)
