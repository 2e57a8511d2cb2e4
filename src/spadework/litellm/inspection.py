"""What is wrong with a LiteLLM config, as far as it is about models of the user's machines.

Keys that are not known here are not judged.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from spadework.backends.litellm import OLLAMA_ROUTE
from spadework.litellm.merge import route_of, served_by
from spadework.litellm.model_entries import (
    ENVIRONMENT,
    is_ollama_route,
    ollama_route_finding,
)
from spadework.litellm.render import MASTER_KEY_VARIABLE
from spadework.litellm.yaml_document import (
    Document,
    child,
    is_mapping,
    is_null,
    is_sequence,
    items,
    line_of,
    number,
    words,
)
from spadework.util.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from spadework.litellm.model_entries import Served
    from spadework.litellm.yaml_document import Node

SHORTEST_KEY = 20
"""Characters of a master key below which it can be guessed."""

_REFUSED_KEY = "sk-1234"  # the one of LiteLLM's examples
_KEY_CURE = (
    f"write master_key: {ENVIRONMENT}{MASTER_KEY_VARIABLE}, and set that to sk- and 32 random "
    "characters or more"
)
_WINDOW_CURE = "`spadework litellm config --merge` adds it, or write it under model_info"
_CHAT = frozenset({"chat", "completion", "responses"})


def inspect(document: Document, file: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Look a config over.

    Args:
        document: the config.
        file: where it lies, for the rights of others on it.
        environ: the environment, where an `api_base` may stand.
    """
    root = document.root
    found = list(_list_of(root))
    seen: dict[tuple[str, Served], int] = {}
    for place, node in enumerate(items(child(root, "model_list"))):
        subject = words(child(node, "model_name")) or f"model_list[{place}]"
        where = f"line {line_of(node)}"
        own = [*_entry(node, subject, where), *_again(node, subject, seen, environ)]
        found += own or [Finding("ok", "entry", subject, f"{where}: nothing against it")]
    found += _included(root)
    found += _master_key(root, file)
    return found


def _list_of(root: Node | None) -> Iterator[Finding]:
    listed = child(root, "model_list")
    cure = "`spadework litellm config --merge` adds the models of your servers"
    if listed is not None and not is_null(listed) and not is_sequence(listed):
        cure = f"write `model_list: []` there; then {cure}"
        yield Finding("error", "model-list", "", f"line {line_of(listed)}: expected a list", cure)
    elif not items(listed):
        yield Finding("warning", "model-list", "", "no models", cure)


def _entry(node: Node, subject: str, where: str) -> Iterator[Finding]:
    params = child(node, "litellm_params")
    route = route_of(node) if words(child(params, "model")) else None
    if not is_mapping(node) or words(child(node, "model_name")) is None or route is None:
        lacks = "model_name" if route else "litellm_params.model"
        yield Finding(
            "error",
            "entry",
            subject,
            f"{where}: it has no {lacks}",
            "write it, or remove the entry",
        )
        return
    if route.startswith(OLLAMA_ROUTE) and _is_chat(node):
        yield ollama_route_finding(subject)
    base = (words(child(params, "api_base")) or "").rstrip("/")
    if is_ollama_route(route) and base.endswith("/v1"):
        message = f"{where}: Ollama's own API is not under /v1: requests go to {base}/api/…"
        yield Finding(
            "error", "route", subject, message, f"write api_base: {base.removesuffix('/v1')}"
        )
    if _is_chat(node) and "*" not in route and served_by(node, {}):
        yield from _window(node, subject, where, route)


def _window(node: Node, subject: str, where: str, route: str) -> Iterator[Finding]:
    params = child(node, "litellm_params")
    told = number(child(child(node, "model_info"), "max_input_tokens"))
    chosen = number(child(params, "num_ctx"))
    if told is None:
        message = f"{where}: the window is missing: model_info.max_input_tokens"
        yield Finding("warning", "window", subject, message, _WINDOW_CURE)
    elif is_ollama_route(route) and (chosen or 0) < told:
        says = f"num_ctx is {chosen}" if chosen else "num_ctx is not set, so Ollama chooses one"
        message = f"{where}: max_input_tokens is {told}, but {says}; it cuts longer input silently"
        yield Finding(
            "warning", "window", subject, message, f"write num_ctx: {told} under litellm_params"
        )


def _is_chat(node: Node) -> bool:
    return (words(child(child(node, "model_info"), "mode")) or "chat") in _CHAT


def _again(
    node: Node, subject: str, seen: dict[tuple[str, Served], int], environ: Mapping[str, str]
) -> Iterator[Finding]:
    one = served_by(node, environ)
    if one is None:
        return
    first = seen.setdefault((subject, one), line_of(node))
    if first != line_of(node):
        message = f"line {line_of(node)}: the same model of the same server stands on line {first}"
        yield Finding("warning", "duplicate", subject, message, "remove one of the two")


def _included(root: Node | None) -> Iterator[Finding]:
    if child(root, "include") is not None:
        message = "the files that it includes were not looked at"
        yield Finding("warning", "include", "", message, "`spadework litellm check` each of them")


def _master_key(root: Node | None, file: Path) -> Iterator[Finding]:
    settings = child(root, "general_settings")
    node = child(settings, "master_key")
    key = words(node)
    if node is None:
        message = f"it is missing: the proxy starts only with {MASTER_KEY_VARIABLE} in its place"
        yield Finding("warning", "master-key", "", message, _KEY_CURE)
        return
    if key and key.startswith(ENVIRONMENT):
        yield Finding("ok", "master-key", "", f"line {line_of(node)}: read from the environment")
        return
    where = f"line {line_of(node)}"
    if not key or key == _REFUSED_KEY:
        message = f"{where}: it is empty, or the one of every example: LiteLLM refuses to start"
        yield Finding("error", "master-key", "", message, _KEY_CURE)
    elif len(key) < SHORTEST_KEY:
        yield Finding(
            "warning",
            "master-key",
            "",
            f"{where}: it is too short: {len(key)} characters",
            _KEY_CURE,
        )
    elif _is_open(file):
        message = f"{where}: the key itself is in the file, and others may read it"
        yield Finding(
            "warning", "master-key", "", message, f"`chmod 600 {file}`; better, {_KEY_CURE}"
        )
    else:
        yield Finding(
            "warning", "master-key", "", f"{where}: the key itself is in the file", _KEY_CURE
        )


def _is_open(file: Path) -> bool:
    try:
        mode = file.stat().st_mode
    except OSError:
        return False
    return os.name == "posix" and bool(mode & (stat.S_IRGRP | stat.S_IROTH))
