"""What is known of an agent, a skill, and of what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spadework.claude_code.agents.frontmatter import Frontmatter

Source = Literal["built-in", "plugin", "user", "project"]
"""Where an agent comes from; of the same name, the last of these counts."""

Code = Literal[
    "bad-frontmatter",
    "bad-name",
    "bad-skill",
    "cut-frontmatter",
    "dear-reader",
    "denies-own-tools",
    "duplicate-key",
    "duplicate-name",
    "explore-on-main",
    "forced-model",
    "long-context",
    "loose-yaml",
    "missing-delegation-tools",
    "no-description",
    "no-frontmatter",
    "no-name",
    "no-utf-8",
    "shadowed",
    "skill-model",
    "subagent-model-variable",
    "unknown-model",
    "unreadable",
    "weak-reasoner",
]
"""The rules; docs/agents.md explains each. A code does not change its meaning."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent as the client would have it.

    `name` is what the client calls it (`plugin:name` for a plugin's), empty where it has none.
    `model` is None where none is named. `tools` is None where all are allowed. `lines` tells on
    which line of the file a key stands. `dropped` says why the client does not load it. `path` is
    None for a built-in agent. `shadowed_by` names who of the same name counts instead.
    """

    name: str
    source: Source
    path: Path | None = None
    description: str = ""
    model: str | None = None
    tools: tuple[str, ...] | None = None
    denied: tuple[str, ...] = ()
    body: str = ""
    text: str = ""
    read: Frontmatter | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    dropped: str = ""
    shadowed_by: str = ""

    @property
    def counts(self) -> bool:
        """Whether the client uses it."""
        return not self.dropped and not self.shadowed_by


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill; `model_line` is the line of its `model:`, 0 where it names none."""

    name: str
    source: Source
    path: Path
    model: str = ""
    model_line: int = 0
    forks: bool = False
    problem: str = ""
