"""From an outcome to what goes over the wire: text content, and no structuredContent for prose."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from journeyman.engine.values import Answer

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
    """Turn an answer into text and a footer, a hand-back into an error."""
    if isinstance(outcome, Answer):
        figures = asdict(outcome.figures) | {"model": outcome.model, "notes": list(outcome.notes)}
        return text_result([outcome.text, footer(outcome)], {FIGURES_KEY: figures})
    return text_result([outcome.reason], {FIGURES_KEY: asdict(outcome.figures)}, is_error=True)


def error_result(error: JourneymanError) -> CallToolResult:
    """Turn an error into the one line and its hint."""
    text = str(error) + (f"\nhint: {error.hint}" if error.hint else "")
    return text_result([text], {}, is_error=True)


def footer(answer: Answer) -> str:
    """One line: the model, its tokens and seconds, and what the caller should know."""
    figures = answer.figures
    parts = [answer.model]
    if figures.prompt_tokens is not None and figures.completion_tokens is not None:
        parts.append(f"{figures.prompt_tokens} tokens in, {figures.completion_tokens} out")
    parts.append(f"{figures.seconds:.1f} s")
    parts += answer.notes
    parts += [f"tried before: {attempt}" for attempt in answer.tries]
    return f"[{'; '.join(parts)}]"


def survey_result(survey: Survey, problem: str) -> CallToolResult:
    """List the models, a line each, then what does not answer or is wrong."""
    lines = [
        model_line(model, survey.tools_of(model), survey.standing.get(model.id, ""))
        for model in survey.models
    ]
    lines += [f"{one.model}: not available: {one.message}" for one in survey.failed]
    if problem:
        lines.append(f"the changed config is not in use: {problem}")
    return text_result(["\n".join(lines) or "no backend has a model"], {})


def model_line(model: ModelInfo, tools: Sequence[str], standing: str = "") -> str:
    """One model in one line; `standing` is what it has to do now."""
    window = f"window {model.window} tokens" if model.window else "window unknown"
    if model.window_source:
        window += f" ({model.window_source})"
    parts = [model.id, window]
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
    texts: Sequence[str], meta: Mapping[str, object], *, is_error: bool = False
) -> CallToolResult:
    """Make a result of texts; `meta` is for programs, the model does not see it."""
    from mcp_types import CallToolResult, TextContent  # noqa: PLC0415 - heavy

    content = [TextContent(type="text", text=text) for text in texts]
    return CallToolResult(content=list(content), is_error=is_error, _meta=dict(meta) or None)
