"""The models that are available at one moment, and the tools that may use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.backends.base import ModelInfo  # noqa: TC001 - `decode` reads the annotations
from spadework.engine.job import Attempt  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ModelInventory:
    """The models that are available now, backends that failed, and each tool's model list.

    `states` says of a model by its id, or of a backend, how many requests it has or that it is
    suspended; what is idle is not named. `local_only` names the tools that no list in the config
    opens to other models than local ones; `warnings` says whose names cannot be used.
    """

    models: tuple[ModelInfo, ...]
    failed: tuple[Attempt, ...]
    patterns: Mapping[str, tuple[str, ...]]
    states: Mapping[str, str] = field(default_factory=dict)
    local_only: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def tools_of(self, model: ModelInfo) -> list[str]:
        """Name the tools that may use a model."""
        return [
            tool
            for tool, patterns in self.patterns.items()
            if model.is_meant_by(patterns)
            and (model.trust == "local" or tool not in self.local_only)
        ]
