"""From an outcome to what goes over the wire: text content, and no structuredContent for prose."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from journeyman.answers.addressed import is_warning
from journeyman.engine.values import Answer
from journeyman.text.foreign import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_types import CallToolResult

    from journeyman.backends.base import ModelInfo
    from journeyman.engine.engine import Survey
    from journeyman.engine.values import Outcome
    from journeyman.errors import JourneymanError

# Not shown to the model; clients that want the figures find them here.
FIGURES_KEY = "journeyman/figures"


def outcome_result(outcome: Outcome) -> CallToolResult:
    """Turn an answer into text and a footer, a hand-back into an error.

    Labels and JSON go out as structured content too: a client then shows the model that alone, so
    what the model should know besides the answer is in it.
    """
    if not isinstance(outcome, Answer):
        return text_result([outcome.reason], {FIGURES_KEY: asdict(outcome.figures)}, is_error=True)
    figures = asdict(outcome.figures) | {
        "model": outcome.model,
        "notes": list(outcome.notes),
        "confidence": outcome.confidence,
        "checks": list(outcome.checks),
    }
    warnings = [f"[{note}]" for note in outcome.notes if is_warning(note)]
    texts = [*warnings, outcome.text, footer(outcome)]
    return text_result(texts, {FIGURES_KEY: figures}, structured=structured_content(outcome))


def structured_content(answer: Answer) -> dict[str, Any] | None:
    """What a model sees of a label or of JSON, as short as can be; None for prose."""
    if answer.is_prose:
        return None
    is_label = answer.value is None and "json" not in answer.checks
    notes = [*answer.notes, *(f"tried before: {attempt}" for attempt in answer.tries)]
    told: dict[str, Any] = {"answer": answer.text if is_label else answer.value}
    if is_label:
        told["confidence"] = None if answer.confidence is None else round(answer.confidence, 2)
    return told | {"model": answer.model} | ({"notes": notes} if notes else {})


def error_result(error: JourneymanError) -> CallToolResult:
    """Turn an error into the one line and its hint."""
    text = str(error) + (f"\nhint: {error.hint}" if error.hint else "")
    return text_result([text], {}, is_error=True)


def footer(answer: Answer) -> str:
    """One line: the model, the checks passed, the tokens spared, and what should be known."""
    parts = [display_name(answer.model)]
    if passed := len(answer.checks):
        parts.append(f"{passed} checks passed")
    if spared := answer.figures.tokens_spared:
        parts.append(f"about {_rounded(spared)} tokens spared")
    if answer.confidence is not None:
        parts.append(f"confidence {answer.confidence:.2f}")
    parts += [note for note in answer.notes if not is_warning(note)]
    parts += [f"tried before: {attempt}" for attempt in answer.tries]
    return f"[{'; '.join(parts)}]"


def _rounded(tokens: int) -> str:
    """Two figures: it is an estimate."""
    step = 10 ** max(0, len(str(tokens)) - 2)
    return f"{tokens // step * step:,}"


def survey_result(survey: Survey, problem: str) -> CallToolResult:
    """List the models, a line each, then what does not answer or is wrong."""
    lines = [
        model_line(model, survey.tools_of(model), survey.standing.get(model.id, ""))
        for model in survey.models
    ]
    lines += [f"{display_name(one.model)}: not available: {one.message}" for one in survey.failed]
    lines += survey.warnings
    if problem:
        lines.append(f"the changed config is not in use: {problem}")
    return text_result(["\n".join(lines) or "no backend has a model"], {})


def model_line(model: ModelInfo, tools: Sequence[str], standing: str = "") -> str:
    """One model in one line; `standing` is what it has to do now."""
    window = f"window {model.window} tokens" if model.window else "window unknown"
    if model.window_source:
        window += f" ({model.window_source})"
    parts = [display_name(model.id), window]
    if model.loaded is not None:
        parts.append("loaded" if model.loaded else "not loaded")
    if standing:
        parts.append(standing)
    if tools:
        parts.append(f"used by {', '.join(tools)}")
    if model.note:
        parts.append(model.note)
    return "; ".join(parts)


def text_result(
    texts: Sequence[str],
    meta: Mapping[str, object],
    *,
    is_error: bool = False,
    structured: dict[str, Any] | None = None,
) -> CallToolResult:
    """Make a result of texts; `meta` is for programs, the model does not see it."""
    from mcp_types import CallToolResult, TextContent  # noqa: PLC0415 - heavy

    content = [TextContent(type="text", text=text) for text in texts]
    return CallToolResult(
        content=list(content),
        is_error=is_error,
        structured_content=structured,
        _meta=dict(meta) or None,
    )
