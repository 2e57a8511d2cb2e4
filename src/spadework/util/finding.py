"""What a check found: `doctor`, `comply`, `agents lint` and `litellm check` say it alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Severity = Literal["ok", "note", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the least to the worst."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check; no field ever holds a key or the address of somebody's gateway.

    `code` names the check. `where` says which thing it looked at, empty where there is but one.
    `what` says how it is, `cure` what to do. `path` and `line` are the place in a file; the line
    counts from 1, 0 where no line is meant.
    """

    severity: Severity
    code: str
    where: str
    what: str
    cure: str = ""
    path: Path | None = None
    line: int = 0

    @property
    def place(self) -> str:
        """The place in a file, else the thing."""
        if self.path is None:
            return self.where
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        path = None if self.path is None else str(self.path)
        return asdict(self) | {"path": path, "line": self.line or None}


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity of all, "ok" where there is nothing."""
    return max((one.severity for one in findings), key=SEVERITIES.index, default="ok")
