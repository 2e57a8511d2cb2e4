"""What the user's servers really have, as entries for the proxy."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.backends.embedded import EmbeddedBackend
from spadework.backends.http_clients import api_url, root_url
from spadework.backends.registry import open_backend
from spadework.config.api_keys import resolve_key
from spadework.config.models import EMBEDDED, BackendConfig
from spadework.discovery.model_ranking import RankedServer
from spadework.discovery.search import FoundServer, with_models
from spadework.discovery.starter_file import key_variable, named
from spadework.errors import BackendError
from spadework.litellm.model_entries import (
    OLLAMA_CHAT_ROUTE,
    OPENAI_ROUTE,
    ModelEntry,
    is_here,
    normal_base,
    offered_name,
)
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.backends.base import Backend, ModelInfo
    from spadework.config.models import Config, EmbeddedConfig

LITELLM = "litellm"

# Their lists do not tell the window of each model, or only that of a model that is loaded.
_TELL_MORE = frozenset({"ollama", "llama-swap"})


@dataclass(frozen=True, slots=True)
class Offer:
    """The entries that the servers make, and what the user should know about the rest.

    `failed` holds a line for each server that did not answer.
    """

    entries: tuple[ModelEntry, ...]
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def servers_of(config: Config, found: Iterable[FoundServer], environ: Mapping[str, str]) -> Servers:
    """Put the config's backends and what was found into one list, each server once.

    Args:
        config: its backends come first.
        found: servers that answered at an address.
        environ: the environment, for the names of variables that hold keys.
    """
    chosen = dict(config.backends)
    known = {normal_base(backend.url) for backend in chosen.values()}
    fresh = [one for one in found if normal_base(one.url) not in known]
    for server in named(fresh):
        name = server.name
        while name in chosen:
            name += "-found"
        key = key_variable(server, environ) if server.found.needs_key else None
        chosen[name] = BackendConfig(kind=server.found.kind, url=server.found.url, api_key_env=key)
    return chosen


Servers = dict[str, BackendConfig]
"""Servers by name."""


def proxies(servers: Servers) -> list[str]:
    """Name the servers that are LiteLLM proxies themselves."""
    return [name for name, server in servers.items() if server.kind == LITELLM]


async def offer(servers: Servers, config: Config, environ: Mapping[str, str]) -> Offer:
    """Ask every server for its models, all at once; nothing is loaded by it.

    Args:
        servers: by name; LiteLLM proxies and clouds among them are left out, and noted.
        config: what it says of local and cloud models; of its embedded engine, which no proxy can
            reach, it is noted if it has a model.
        environ: holds the servers' keys.

    Raises:
        ConfigError: a key's file cannot be read, or holds no key.
    """
    asked = {name: server for name, server in servers.items() if _is_offered(server)}
    offers = await asyncio.gather(
        *(_offer_of(name, server, environ, config) for name, server in asked.items())
    )
    entries = tuple(entry for one in offers for entry in one.entries)
    notes = [_left_out(name, server) for name, server in servers.items() if name not in asked]
    notes += [note for one in offers for note in one.notes]
    notes += await _embedded_notes(config.embedded)
    if any(is_here(entry.api_base) for entry in entries):
        notes.append(
            "addresses of this machine (127.0.0.1, localhost) are right only for a proxy that "
            "runs on it, and outside a container"
        )
    return Offer(entries, tuple(notes), tuple(line for one in offers for line in one.failed))


def _is_offered(server: BackendConfig) -> bool:
    return server.kind != LITELLM and server.trust != "cloud"


def _left_out(name: str, server: BackendConfig) -> str:
    if server.kind == LITELLM:
        return f"{name} is left out: it is a LiteLLM proxy itself"
    return (
        f'{name} is left out: trust = "cloud", and behind the proxy nobody would see '
        "that data leaves your machines"
    )


async def _offer_of(
    name: str, server: BackendConfig, environ: Mapping[str, str], config: Config
) -> Offer:
    backend = open_backend(name, server, environ, config)
    try:
        listed = await backend.models()
        all_names = await _all_names(server, environ)
        fit, notes = _fitting(name, server, listed, all_names)
        models = [await _described(backend, info) for info in fit]
    except BackendError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return Offer((), (), (f"{error}{hint}",))
    finally:
        await backend.close()
    variable = server.api_key_env
    if server.api_key_file and not variable:
        variable = re.sub(r"[^A-Z0-9]", "_", f"{name}_API_KEY".upper()).lstrip("0123456789_")
        notes.append(f"the proxy needs the key of {name} in {variable}: it reads no key file")
    return Offer(tuple(_entry(name, server, info, variable) for info in models), tuple(notes))


async def _all_names(server: BackendConfig, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Name all models, those too that do not chat: every kind of server lists them alike."""
    found = FoundServer(server.kind, root_url(server.url))
    return (await with_models(found, resolve_key(server, environ) or "none")).models


def _fitting(
    name: str, server: BackendConfig, listed: list[ModelInfo], all_names: tuple[str, ...]
) -> tuple[list[ModelInfo], list[str]]:
    """Choose the models that chat and run on the user's machines; the others become notes."""
    names = tuple(info.name for info in listed)
    view = RankedServer(name, FoundServer(server.kind, server.url, names), _facts(listed))
    passed_over = {one.name: one for one in view.passed_over}
    chat = {one for one in view.chat_models if one.isprintable() and one.strip() == one}
    others = [one for one in (*names, *all_names) if one not in chat and one not in passed_over]
    notes = []
    if others:
        shown = ", ".join(dict.fromkeys(" ".join(ascii(one)[1:-1].split()) for one in others))
        notes.append(f"{name}: left out, since by its kind or name it does not chat: {shown}")
    notes += [
        f"{display_name(f'{name}/{one.name}')} is left out: {one.trust} ({one.trust_source})"
        for one in passed_over.values()
    ]
    return [info for info in listed if info.name in chat], notes


def _facts(listed: list[ModelInfo]) -> dict[str, ModelInfo]:
    return {info.name: replace(info, route="", failed="") for info in listed}


async def _described(backend: Backend, info: ModelInfo) -> ModelInfo:
    return await backend.describe(info.name) if backend.kind in _TELL_MORE else info


def _entry(name: str, server: BackendConfig, info: ModelInfo, variable: str | None) -> ModelEntry:
    is_ollama = server.kind == "ollama"
    return ModelEntry(
        name=offered_name(info.name),
        route=(OLLAMA_CHAT_ROUTE if is_ollama else OPENAI_ROUTE) + info.name,
        api_base=root_url(server.url) if is_ollama else api_url(server.url),
        server=name,
        window=info.window,
        window_source=info.window_source,
        key_variable=variable,
    )


async def _embedded_notes(config: EmbeddedConfig) -> list[str]:
    """Say why the embedded engine's model is not offered, if there is one."""
    engine = EmbeddedBackend(config)
    try:
        models = await engine.models()
    except BackendError:
        return []
    finally:
        await engine.close()
    return [
        f"{EMBEDDED}/{model.name} is left out: the embedded engine listens on a unix socket in a "
        "private folder, only while it is used, and LiteLLM reaches no unix socket; for the "
        "proxy, serve the same file with llama-server on a port"
        for model in models
    ]


def as_joined(entries: Iterable[ModelEntry]) -> dict[str, list[str]]:
    """Name the servers behind each `model_name` that several of them share."""
    behind: dict[str, list[str]] = {}
    for entry in entries:
        behind.setdefault(entry.name, []).append(entry.server)
    return {name: servers for name, servers in behind.items() if len(servers) > 1}


def only_new_names(
    entries: Iterable[ModelEntry], taken: Mapping[str, set[str]]
) -> list[ModelEntry]:
    """Rename an entry whose name is already taken by another model.

    Args:
        entries: the entries.
        taken: the models that each `model_name` of the file stands for.
    """
    named_now: list[ModelEntry] = []
    for entry in entries:
        own = {entry.served.model}
        name, number = entry.name, 1
        while taken.get(name, own) - own:
            number += 1
            suffix = entry.server if number == 2 else f"{entry.server}-{number - 1}"  # noqa: PLR2004 - the first try is the server's name alone
            name = f"{entry.name}-{suffix}"
        named_now.append(replace(entry, name=name))
    return named_now
