"""Renders an outcome as an MCP result: text content, and no structuredContent for prose."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from spadework.checks.prompt_injection import is_warning
from spadework.engine.job import Answer
from spadework.errors import ArgumentError, ReferenceRefused
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mcp_types import CallToolResult

    from spadework.backends.base import ModelInfo
    from spadework.engine.batch.table import Table
    from spadework.engine.job import Outcome
    from spadework.engine.model_inventory import ModelInventory
    from spadework.errors import SpadeworkError

# Not shown to the model; clients that want the figures find them here.
FIGURES_KEY = "spadework/figures"
ERROR_KEY = "spadework/error"
"""Under which a result's metadata has the code of its error."""
REASONS_KEY = "spadework/reasons"
"""The same for a hand-back: a code of `engine/hand_back_reasons.py` for each model."""


def outcome_result(outcome: Outcome) -> CallToolResult:
    """Turn an answer into text and a footer, a hand-back into an error.

    Labels and JSON go out as structured content too: a client then shows the model that alone, so
    what the model should know besides the answer is in it.
    """
    if not isinstance(outcome, Answer):
        codes = [one.code for one in outcome.tries]
        about = {FIGURES_KEY: asdict(outcome.figures), REASONS_KEY: codes}
        return text_result([outcome.reason], about, is_error=True)
    figures = asdict(outcome.figures) | {
        "model": outcome.model,
        "notes": list(outcome.notes),
        "confidence": outcome.confidence,
        "checks": list(outcome.checks),
    }
    warnings = [f"[{note}]" for note in outcome.notes if is_warning(note)]
    texts = [*warnings, outcome.text, footer(outcome)]
    return text_result(texts, {FIGURES_KEY: figures}, structured=structured_content(outcome))


def concealed(outcome: Outcome, conceal: Callable[[str], str]) -> Outcome:
    """Take the server's own paths out of all that is said about an answer, not out of its text."""
    tries = tuple(replace(one, message=conceal(one.message)) for one in outcome.tries)
    if isinstance(outcome, Answer):
        return replace(outcome, tries=tries, notes=tuple(map(conceal, outcome.notes)))
    return replace(outcome, tries=tries, hint=conceal(outcome.hint))


def concealed_table(table: Table, conceal: Callable[[str], str]) -> Table:
    """Take the server's own paths out of all that is said about answers, not out of their texts."""
    rows = tuple(
        replace(row, error=conceal(row.error), note=conceal(row.note)) for row in table.rows
    )
    left_out = tuple(replace(one, reason=conceal(one.reason)) for one in table.left_out)
    return replace(table, rows=rows, left_out=left_out)


def structured_content(answer: Answer) -> dict[str, Any] | None:
    """What a model sees of a label or of JSON, as short as can be; None for prose."""
    if answer.is_prose:
        return None
    is_label = answer.value is None and "json" not in answer.checks
    notes = [*answer.notes, *(attempt.as_note for attempt in answer.tries)]
    told: dict[str, Any] = {"answer": answer.text if is_label else answer.value}
    if is_label:
        told["confidence"] = None if answer.confidence is None else round(answer.confidence, 2)
    return told | {"model": answer.model} | ({"notes": notes} if notes else {})


def error_result(error: SpadeworkError, conceal: Callable[[str], str] = str) -> CallToolResult:
    """Turn an error into the one line and its hint.

    What is said of the client's own arguments and references names nothing of the server's.
    """
    text = str(error) + (f"\nhint: {error.hint}" if error.hint else "")
    is_clients = isinstance(error, ArgumentError | ReferenceRefused)
    shown = text if is_clients else conceal(text)
    return text_result([shown], {ERROR_KEY: error.code}, is_error=True)


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
    parts += [attempt.as_note for attempt in answer.tries]
    return f"[{'; '.join(parts)}]"


def _rounded(tokens: int) -> str:
    """Two figures: it is an estimate."""
    step = 10 ** max(0, len(str(tokens)) - 2)
    return f"{tokens // step * step:,}"


def survey_result(
    survey: ModelInventory, problem: str, conceal: Callable[[str], str] = str
) -> CallToolResult:
    """List the models, a line each, then what does not answer or is wrong."""
    lines = [
        model_line(model, survey.tools_of(model), survey.states.get(model.id, ""))
        for model in survey.models
        if not model.route or survey.tools_of(model)  # it is none to choose
    ]
    lines += [f"{display_name(one.model)}: not available: {one.message}" for one in survey.failed]
    lines += survey.warnings
    if problem:
        lines.append(f"the changed config is not in use: {problem}")
    return text_result([conceal("\n".join(lines)) or "no backend has a model"], {})


def model_line(model: ModelInfo, tools: Sequence[str], state: str = "") -> str:
    """One model in one line; `state` is what it has to do now."""
    window = f"window {model.window} tokens" if model.window else "window unknown"
    if model.window_source:
        window += f" ({model.window_source})"
    parts = [display_name(model.id), shown_trust(model), window]
    if model.loaded is not None:
        parts.append("loaded" if model.loaded else "not loaded")
    if state:
        parts.append(state)
    if tools:
        parts.append(f"used by {', '.join(tools)}")
    return "; ".join([*parts, *model.remarks])


def shown_trust(model: ModelInfo) -> str:
    """A model's trust and where it was learned, in a few words."""
    known = model.trust if model.trust != "unknown" else "trust unknown"
    return f"{known} ({model.trust_source})" if model.trust_source else known


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
