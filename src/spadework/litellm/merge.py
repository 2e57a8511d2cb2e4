"""Adds what is missing to the text of a LiteLLM config, and completes what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spadework.litellm.model_entries import ModelEntry, Served, is_ollama_route, served
from spadework.litellm.render import comments_of, key_table, server_table, whole
from spadework.litellm.round_trip import RoundTrip
from spadework.litellm.server_offers import only_new_names
from spadework.litellm.yaml_document import (
    Document,
    child,
    is_mapping,
    items,
    number,
    own,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spadework.litellm.yaml_document import Node
    from spadework.litellm.yaml_tree import Comments


@dataclass(frozen=True, slots=True)
class Merged:
    """A config's new text, and what was done to it."""

    text: str
    added: tuple[ModelEntry, ...] = ()
    completed: tuple[str, ...] = ()
    """The `model_name`s that got their window."""
    notes: tuple[str, ...] = ()


def merge(
    document: Document, entries: Iterable[ModelEntry], mcp_url: str, environ: Mapping[str, str]
) -> Merged:
    """Add the entries that a config lacks, and the window to entries that lack it.

    An entry is there already if one has the same model of the same server, under whatever
    `model_name` and by whatever route. Nothing that is there is changed or removed.

    Args:
        document: the config.
        entries: what the servers make.
        mcp_url: the address of our MCP server to add under `mcp_servers`; empty: none.
        environ: the environment, where an `api_base` may stand.

    Raises:
        ConfigError: it cannot be done without altering something else.
    """
    there = _there(document, environ)
    missing = [entry for entry in entries if entry.served not in there]
    added = only_new_names(missing, _names(document))
    notes = [
        f"{new.name}: the name {old.name} stands for another model in this file"
        for old, new in zip(missing, added, strict=True)
        if old.name != new.name
    ]
    edits = RoundTrip(document)
    completed = []
    for entry in entries:
        for place, node in there.get(entry.served, []):
            name = words(child(node, "model_name")) or entry.name
            note = _complete(edits, place, node, entry)
            if note is None:
                completed.append(name)
            elif note:
                notes.append(f"{name}: {note}")
    root = document.root
    if root is None or not is_mapping(root):
        text = edits.started(*whole(added, mcp_url))
        return Merged(text, tuple(added), notes=tuple(notes))
    if added:
        listed = [entry.as_data() for entry in added]
        edits.add(("model_list",), listed, _comments(added))
    if child(child(root, "general_settings"), "master_key") is None:
        edits.add(("general_settings",), key_table())
    if mcp_url and not _serves(root, mcp_url):
        edits.add(("mcp_servers",), server_table(mcp_url))
    text = edits.done() if edits.added else document.text
    return Merged(text, tuple(added), tuple(completed), tuple(notes))


def _comments(entries: list[ModelEntry]) -> Comments:
    return {
        (place, *keys): text
        for place, entry in enumerate(entries)
        for keys, text in comments_of(entry).items()
    }


def _there(document: Document, environ: Mapping[str, str]) -> dict[Served, list[tuple[int, Node]]]:
    found: dict[Served, list[tuple[int, Node]]] = {}
    for place, node in enumerate(items(child(document.root, "model_list"))):
        if one := served_by(node, environ):
            found.setdefault(one, []).append((place, node))
    return found


def served_by(node: Node, environ: Mapping[str, str]) -> Served | None:
    """Say which model of which server an entry of the file means, as `served` does."""
    base = words(child(child(node, "litellm_params"), "api_base"))
    return served(route_of(node), base, environ)


def route_of(node: Node) -> str:
    """Return an entry's route, its provider first."""
    params = child(node, "litellm_params")
    route = words(child(params, "model")) or ""
    provider = words(child(params, "custom_llm_provider"))
    return f"{provider}/{route.removeprefix(f'{provider}/')}" if provider else route


def _names(document: Document) -> dict[str, set[str]]:
    """Return the models behind each `model_name` of the file."""
    taken: dict[str, set[str]] = {}
    for node in items(child(document.root, "model_list")):
        if name := words(child(node, "model_name")):
            one = served_by(node, {})
            model = one.model if one else f"elsewhere: {route_of(node)}"
            taken.setdefault(name, set()).add(model)
    return taken


def _complete(edits: RoundTrip, place: int, node: Node, entry: ModelEntry) -> str | None:
    """Add the window to an entry that lacks it.

    Returns:
        None if it was added, else what the user should know, or nothing.
    """
    if entry.is_ollama and not is_ollama_route(route_of(node)):
        return f"it goes through Ollama's /v1, which cuts longer input silently: use {entry.route}"
    params, info = child(node, "litellm_params"), child(node, "model_info")
    told = number(child(info, "max_input_tokens"))
    asked_for = number(child(params, "num_ctx")) if entry.is_ollama else None
    true = asked_for or entry.window
    if told and true and told != true:
        return f"max_input_tokens is {told}, but the window is {true}: left as it is"
    if told or not true or child(info, "max_input_tokens") is not None:
        return ""
    if _is_shared(node, params, info):
        return "an anchor or a merge shares its settings: write max_input_tokens by hand"
    if entry.is_ollama and not asked_for:
        if child(params, "num_ctx") is not None:
            return ""
        edits.add(("model_list", place, "litellm_params"), {"num_ctx": true})
    source: Comments = {} if asked_for else {("max_input_tokens",): entry.window_source}
    path = ("model_list", place, "model_info")
    edits.add(path, {"max_input_tokens": true}, source)
    return None


def _is_shared(node: Node, params: Node | None, info: Node | None) -> bool:
    nodes = [node, params, info]
    keys = ("litellm_params", "model_info")
    by_merge = any(child(node, key) is not None and own(node, key) is None for key in keys)
    return by_merge or any(one is not None and bool(one.anchor) for one in nodes)


def _serves(root: Node, mcp_url: str) -> bool:
    """Whether our MCP server is there, under our name or by its address."""
    servers = child(root, "mcp_servers")
    if servers is None or not is_mapping(servers):
        return False
    mine: dict[str, Any] = server_table(mcp_url)
    return any(
        key.value in mine or words(child(value, "url")) == mcp_url for key, value in servers.value
    )
