"""What a check found: one line for the user, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

Level = Literal["ok", "warning", "broken"]
_RISING: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `spadework doctor` or `spadework comply`.

    `subject` says what was looked at, `text` how it is, `cure` what to do; no field ever holds a
    key or the address of somebody's gateway.
    """

    level: Level
    subject: str
    text: str
    cure: str = ""


def worst(findings: Iterable[CheckResult]) -> Level:
    """Return the worst level of all, "ok" where there is nothing."""
    return max((finding.level for finding in findings), key=_RISING.index, default="ok")
