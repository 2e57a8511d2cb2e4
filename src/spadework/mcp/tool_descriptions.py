"""The tool descriptions that Claude reads: every byte costs tokens in every session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcp_types import Tool as ToolDefinition
from mcp_types import ToolAnnotations

from spadework.engine.candidates import candidates, patterns_of, split_by_trust, worth_listing
from spadework.engine.trust_policy import TrustPolicy
from spadework.errors import SpadeworkError
from spadework.mcp import ask_each
from spadework.mcp.tool_arguments import input_schema
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.engine.engine import Engine
    from spadework.engine.tools import Tool

LIST_MODELS = "list_available_local_models"

INSTRUCTIONS = (
    "Spadework hands bounded work to models on the user's own machines, at no cost to the "
    "user's Claude quota. Delegate bulk reading, summaries, classification and boilerplate; keep "
    "the reasoning. Pass material in `files` (paths, globs, path:START-END) instead of reading it "
    "first: it then never enters your context. An answer is a smaller model's: check what matters. "
    "A result that says 'Not done' is a hand-back: do that piece yourself."
)

# Claude Code cuts a description at 2,048 characters (4,096 in the newest).
_LONGEST_DESCRIPTION = 2000
# A dead backend must not hold up the client's start; what is not known by then is left out.
_FACTS_SECONDS = 3.0


async def define_tools(engine: Engine, tools: Mapping[str, Tool]) -> list[ToolDefinition]:
    """Define every tool as the protocol wants it, in the config's order."""
    facts = await asyncio.gather(*(_facts(engine, tool) for tool in tools.values()))
    defined = [
        _define(name, _describe(tool, fact), input_schema(tool))
        for (name, tool), fact in zip(tools.items(), facts, strict=True)
    ]
    # It may write a file, so a client may ask first, and does not call it in parallel.
    asking = _define(ask_each.ASK_EACH, ask_each.DESCRIPTION, ask_each.SCHEMA, read_only=False)
    listing = "List the local models that can be delegated to: window, loaded or not, their tools."
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    return [*defined, asking, _define(LIST_MODELS, listing, empty)]


def _define(
    name: str, description: str, schema: dict[str, Any], *, read_only: bool = True
) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        description=description,
        input_schema=schema,
        annotations=ToolAnnotations(read_only_hint=read_only),
    )


def _describe(tool: Tool, facts: str) -> str:
    """Write a tool's description: what for first, since clients cut at the end."""
    config = tool.config
    parts = [f"Delegate to a local model: {config.use_for.rstrip('.')}."]
    if config.avoid_for:
        parts.append(f"Not for: {config.avoid_for.rstrip('.')}.")
    if config.labels:
        parts.append(f"Answers with one of: {', '.join(config.labels)}.")
    if tool.from_project:
        parts.append("(Defined by this project.)")
    if facts:
        parts.append(facts)
    return " ".join(" ".join(parts).split())[:_LONGEST_DESCRIPTION]


async def _facts(engine: Engine, tool: Tool) -> str:
    """Say which model answers first, its window and its measured speed, as far as is known."""
    catalog = engine.catalog
    try:
        async with asyncio.timeout(_FACTS_SECONDS):
            patterns = patterns_of(tool.config.models, catalog.backends)
            trust_policy = TrustPolicy.of(tool)
            listed = worth_listing(trust_policy, catalog)
            found, _ = await candidates(patterns, listed, catalog.models)
            names, _ = await split_by_trust(found, trust_policy, catalog)
            if not names:
                return ""
            info = await catalog.describe(names[0])
    except (SpadeworkError, TimeoutError):
        return ""
    facts = [f"Model {display_name(info.id)}"]
    if info.note:
        facts.append(f"({info.note})")
    if info.window:
        facts.append(f"window {info.window} tokens")
    if speed := engine.measured_speed(info.id):
        facts.append(f"about {speed:.0f} tokens/s")
    return ", ".join(facts).replace(", (", " (") + "."
