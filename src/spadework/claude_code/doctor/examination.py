"""Runs all groups of checks at once; what they find comes in a stable order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.claude_code.claude_client import claude_paths, find_client
from spadework.claude_code.doctor import backend_checks as servers
from spadework.claude_code.doctor.installation_checks import (
    check_config,
    check_daemon,
    check_ledger,
    check_project,
    look_before,
)
from spadework.claude_code.doctor.registration_checks import (
    check_client,
    check_handshake,
    check_loading,
    check_registration,
    check_tools,
)
from spadework.claude_code.doctor.window_probe import prove
from spadework.claude_code.handshake import HandshakeFailed, greet
from spadework.claude_code.registrations import RegisteredServer, registered
from spadework.config.models import EMBEDDED
from spadework.errors import ArgumentError, BackendError
from spadework.util.finding import Finding

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from spadework.claude_code.doctor.backend_checks import CheckContext, Listed
    from spadework.claude_code.registrations import Registration
    from spadework.config.models import Config, ToolConfig


@dataclass(frozen=True, slots=True)
class Examination:
    """What is asked for.

    `own_command` starts the server where none is registered; `models` are those whose window is
    to be proved (none: those that the tools name); `say` reports the progress of the proof.
    """

    project: Path
    environ: Mapping[str, str]
    own_command: tuple[str, ...]
    probe: bool
    models: tuple[str, ...]
    say: Callable[[str], None]


async def examine(asked: Examination) -> AsyncGenerator[Finding]:
    """Check everything; a group's findings come as soon as it and those before it are done.

    Raises:
        ArgumentError: a model to be proved is on no backend of the config.
    """
    config, config_findings = check_config()
    if config:
        _refuse_unknown(asked.models, config)
    groups = [
        asyncio.ensure_future(_client_group(asked)),
        asyncio.ensure_future(_given(config_findings)),
    ]
    if config:
        groups.append(asyncio.ensure_future(_config_group(asked, config)))
    try:
        for group in groups:
            for finding in await group:
                yield finding
    finally:
        for group in groups:
            group.cancel()
        await asyncio.gather(*groups, return_exceptions=True)


def _refuse_unknown(models: Sequence[str], config: Config) -> None:
    for model in models:
        backend, _, name = model.partition("/")
        if not name or backend not in {*config.backends, EMBEDDED}:
            raise ArgumentError(
                f"--model {model!r}: no such backend; a model is written backend/model",
                hint="`spadework models` lists them",
            )


async def _given(findings: list[Finding]) -> list[Finding]:
    return findings


async def _client_group(asked: Examination) -> list[Finding]:
    """The client, the registration, the handshake, and the daemon behind it."""
    found = registered(claude_paths(asked.project, asked.environ))
    client, before = await asyncio.gather(
        asyncio.to_thread(find_client, asked.environ), look_before()
    )
    findings = [check_client(client), *check_registration(found, has_client=client is not None)]
    findings += await _greeted(asked, found)
    return [*findings, await check_daemon(before)]


async def _greeted(asked: Examination, found: Registration) -> list[Finding]:
    """Start what the client would start; an entry that waits for approval is never started."""
    used = next(iter(found.used), None)
    program, *arguments = asked.own_command
    entry = used or RegisteredServer("spadework", "user", asked.project, program, tuple(arguments))
    try:
        greeting = await greet(entry, asked.project, asked.environ)
    except HandshakeFailed as reason:
        cure = "run that command in a terminal and see what it says"
        if entry.url:
            cure = "see that the server runs, and that the entry's token is one of its own"
        if reason.program_missing:
            cure = "register it by its whole path, or put its folder on the PATH"
        return [Finding("error", "handshake", "", f"it fails: {reason}", cure)]
    findings = [*check_handshake(greeting, is_registered=used is not None), *check_tools(greeting)]
    return [*findings, check_loading(entry, greeting, asked.environ)] if used else findings


async def _config_group(asked: Examination, config: Config) -> list[Finding]:
    """What the config names: the project's tools, backends, models, ledger."""
    added, findings = check_project(asked.project, config)
    tools = {**config.all_tools(), **added}
    context = servers.open_context(config, asked.environ)
    try:
        listed, found = await servers.check_backends(context)
        findings += found
        findings += await servers.check_tools(context, tools, listed)
        if asked.probe:
            findings += await _proved(asked, context, tools, listed)
    finally:
        await servers.close(context)
    return [*findings, *check_ledger(config)]


async def _proved(
    asked: Examination, context: CheckContext, tools: Mapping[str, ToolConfig], listed: Listed
) -> list[Finding]:
    """Prove windows, one model after another on each backend, the backends at once."""
    chosen = asked.models or _named(context, tools, listed)
    by_backend: dict[str, list[str]] = {}
    for model in chosen:
        by_backend.setdefault(model.partition("/")[0], []).append(model)

    async def on_one(models: list[str]) -> list[Finding]:
        return [finding for model in models for finding in await _prove(asked, context, model)]

    results = await asyncio.gather(*map(on_one, by_backend.values()))
    return [finding for result in results for finding in result]


def _named(
    context: CheckContext, tools: Mapping[str, ToolConfig], listed: Listed
) -> tuple[str, ...]:
    """The models that tools name, and the first one of each tool that names none."""
    chosen: dict[str, None] = {}
    for tool in tools.values():
        there, _ = servers.present(tool, context, listed)
        named = [model for model in there if model in tool.models]
        chosen.update(dict.fromkeys(named or there[:1]))
    return tuple(chosen)


async def _prove(asked: Examination, context: CheckContext, model: str) -> list[Finding]:
    name, _, bare = model.partition("/")
    backend = context.backends.get(name)
    if backend is None:
        return []
    try:
        info = await backend.describe(bare)
    except BackendError as error:
        return [Finding("error", "window", model, str(error), error.hint)]
    return await prove(backend, bare, info.window, asked.say)
