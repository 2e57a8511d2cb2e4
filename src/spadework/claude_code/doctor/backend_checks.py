"""The backends: does each answer, does it take the key, and has it what the tools name?"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.backends.embedded import EmbeddedBackend
from spadework.backends.http_clients import shown_url
from spadework.backends.litellm import OLLAMA_NOTE
from spadework.backends.registry import open_backend, unknown_trust
from spadework.config.api_keys import key_warnings
from spadework.config.models import EMBEDDED
from spadework.config.type_names import as_toml
from spadework.embedded.model_file import DEMO_NOTE
from spadework.engine.candidates import patterns_of, unusable
from spadework.errors import BackendError, ConfigError, LedgerError, Unreachable
from spadework.storage.ledger import Ledger, ledger_path
from spadework.util.finding import Finding
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.backends.base import Backend, ModelInfo
    from spadework.config.models import BackendConfig, Config, ToolConfig

_SECONDS = 15.0
"""For a server that takes the connection and then says nothing."""

_NOTES = {
    DEMO_NOTE: "it proves the path, not the quality: start a server and run `spadework setup`, or "
    "`spadework embedded pull OWNER/REPO FILE`",
    OLLAMA_NOTE: "`spadework litellm check FILE` finds such routes in the proxy's config",
}
"""What can be done about the note that a backend puts beside a model."""

Listed = dict[str, "list[ModelInfo] | None"]
"""The models of each backend by its name; None where it did not list them."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What the checks of the backends stand on; `shut` says why a backend cannot be opened."""

    config: Config
    backends: Mapping[str, Backend]
    shut: Mapping[str, Finding]
    environ: Mapping[str, str]


async def check_backends(context: CheckContext) -> tuple[Listed, list[Finding]]:
    """Ask every backend for its models, all at once: a dead one costs its own time-out alone."""
    names = [*context.config.backends, *([EMBEDDED] if _uses_embedded(context.config) else [])]
    results = await asyncio.gather(*(_check(name, context) for name in names))
    return (
        {name: models for name, (models, _) in zip(names, results, strict=True)},
        [finding for _, findings in results for finding in findings],
    )


def _uses_embedded(config: Config) -> bool:
    named = (model for tool in config.all_tools().values() for model in tool.models)
    return not config.backends or any(name.partition("/")[0] == EMBEDDED for name in named)


async def _check(name: str, context: CheckContext) -> tuple[list[ModelInfo] | None, list[Finding]]:
    if shut := context.shut.get(name):
        return None, [shut]
    config = context.config.backends.get(name)
    address = (
        f"{config.kind} at {shown_url(config.url)}" if config else "a model in a child process"
    )
    findings = _check_keys(name, config, context.environ) if config else []
    started = time.monotonic()
    try:
        async with asyncio.timeout(_SECONDS):
            models = await context.backends[name].models()
    except TimeoutError:
        text = f"{address}: no answer within {_SECONDS:g} s"
        return None, [Finding("error", "backend", name, text, "restart that server"), *findings]
    except BackendError as error:
        cure = error.hint or ("start the server, or fix its url" if _is_away(error) else "")
        return None, [Finding("error", "backend", name, f"{address}: {error}", cure), *findings]
    took = f"answers in {(time.monotonic() - started) * 1000:.0f} ms"
    if not models:
        text = f"{address}: {took}, but has no models"
        return models, [Finding("error", "backend", name, text, "give it a model"), *findings]
    return models, [
        Finding("ok", "backend", name, f"{address}: {took}, models: {len(models)}"),
        *_check_trust(name, models),
        *_check_names(name, context.backends[name]),
        *findings,
    ]


def _check_trust(name: str, models: Sequence[ModelInfo]) -> list[Finding]:
    problem = unknown_trust(models)
    return [Finding("warning", "backend", name, *problem)] if problem else []


def _is_away(error: BackendError) -> bool:
    return isinstance(error, Unreachable)


def _check_names(name: str, backend: Backend) -> list[Finding]:
    said = unusable(backend)
    cure = "a server that you trust has no such names: see what it is"
    return [Finding("warning", "backend", name, said, cure)] if said else []


def _check_keys(name: str, config: BackendConfig, environ: Mapping[str, str]) -> list[Finding]:
    return [Finding("warning", "backend", name, text) for text in key_warnings(config, environ)]


async def check_tools(
    context: CheckContext, tools: Mapping[str, ToolConfig], listed: Listed
) -> list[Finding]:
    """Can each tool be answered: by which model, with what window and at what speed?"""
    checks = (_check_tool(name, tool, context, listed) for name, tool in tools.items())
    return list(await asyncio.gather(*checks))


def present(tool: ToolConfig, context: CheckContext, listed: Listed) -> tuple[list[str], list[str]]:
    """Split a tool's models into those that are there now, in order, and those that are not."""
    there: dict[str, None] = {}
    missing = []
    for pattern in patterns_of(tool.models, context.backends):
        found = _matching(pattern, listed, local_only=not tool.models)
        there.update(dict.fromkeys(found))
        if not found:
            missing.append(pattern)
    return list(there), missing


def _matching(pattern: str, listed: Listed, *, local_only: bool) -> Sequence[str]:
    if "*" in pattern:
        every = (info for models in listed.values() for info in models or ())
        allowed = (info for info in every if info.trust == "local" or not local_only)
        return [info.id for info in allowed if info.is_meant_by([pattern])]
    known = listed.get(pattern.partition("/")[0]) or ()
    return [pattern] if any(info.is_meant_by([pattern]) for info in known) else []


async def _check_tool(
    name: str, tool: ToolConfig, context: CheckContext, listed: Listed
) -> Finding:
    there, missing = present(tool, context, listed)
    if not there:
        text = f"none of its models is there: {', '.join(missing)}"
        cure = "`spadework models` lists what there is; change the tool's `models`, or load them"
        return Finding("error", "tool", name, text, cure)
    backend, _, model = there[0].partition("/")
    try:
        async with asyncio.timeout(_SECONDS):
            info = await context.backends[backend].describe(model)
    except (BackendError, TimeoutError) as error:
        return Finding(
            "error",
            "tool",
            name,
            str(error) or f"{display_name(there[0])} is not described in time",
        )
    shown = display_name(there[0])
    more = f" and {len(there) - 1} more" if len(there) > 1 else ""
    window = f"window {info.window} ({info.window_source})" if info.window else "window unknown"
    text = f"{shown}{more}; {window}{_speed(context.config, there[0])}"
    if missing:
        what = f"{text}; not there: {', '.join(missing)}"
        cure = "an alias may be missing from its server's list; else correct the tool's `models`"
        return Finding("warning", "tool", name, what, cure)
    if info.note:
        cure = _NOTES.get(info.note, "name another model first in the tool's `models`")
        return Finding("warning", "tool", name, f"{text}; {info.note}", cure)
    if not info.window:
        cure = f"tell it: [backends.{backend}.windows] {as_toml(model)} = TOKENS"
        return Finding("warning", "tool", name, text, cure)
    return Finding("ok", "tool", name, text)


def _speed(config: Config, model: str) -> str:
    path = ledger_path(config)
    if not path.exists():
        return ""
    try:
        ledger = Ledger(path)
        try:
            speed = ledger.speed(model)
        finally:
            ledger.close()
    except LedgerError:  # it has a line of its own
        return ""
    return f"; {speed:.0f} tokens/s by the ledger" if speed else ""


async def close(context: CheckContext) -> None:
    """Close every backend."""
    for backend in context.backends.values():
        await backend.close()


def open_context(config: Config, environ: Mapping[str, str]) -> CheckContext:
    """Open the backends, each by itself: a key that cannot be read stops that one alone."""
    opened: dict[str, Backend] = {EMBEDDED: EmbeddedBackend(config.embedded)}
    shut: dict[str, Finding] = {}
    for name, told in config.backends.items():
        try:
            opened[name] = open_backend(name, told, environ, config)
        except ConfigError as error:
            shut[name] = Finding("error", "backend", name, str(error), error.hint)
    return CheckContext(config, opened, shut, environ)
