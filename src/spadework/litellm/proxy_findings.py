"""What a look at a proxy or its config has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class ProxyFinding:
    """One line of the report: the state of a thing, and how to fix it.

    `subject` is a `model_name`, a key of the config, or a part of the proxy.
    """

    level: Level
    subject: str
    message: str
    cure: str = ""


def ok(subject: str, message: str) -> ProxyFinding:
    """Return what is as it should be."""
    return ProxyFinding("ok", subject, message)


def warning(subject: str, message: str, cure: str) -> ProxyFinding:
    """Return what works, but not as it could or not safely."""
    return ProxyFinding("warning", subject, message, cure)


def broken(subject: str, message: str, cure: str) -> ProxyFinding:
    """Return what does not work."""
    return ProxyFinding("broken", subject, message, cure)


OLLAMA_CURE = "write ollama_chat/ in place of ollama/"


def ollama_route(subject: str) -> ProxyFinding:
    """Return what is said of the old route to Ollama."""
    message = "the ollama/ route reports an answer that was cut off as complete"
    return warning(subject, message, OLLAMA_CURE)


def counts(findings: list[ProxyFinding]) -> str:
    """Say how many there are of each level."""
    number = {level: sum(one.level == level for one in findings) for level in ("warning", "broken")}
    if not any(number.values()):
        return "all is well"
    warnings = f"{number['warning']} warning" + ("" if number["warning"] == 1 else "s")
    return f"{number['broken']} broken, {warnings}"
