"""The config file that `config init` and `setup` write: commented, with what was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spadework.backends.registry import backend_class
from spadework.config.type_names import as_toml
from spadework.discovery.model_ranking import RankedServer, proposals
from spadework.discovery.search import LOOPBACK
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spadework.discovery.model_ranking import Proposal
    from spadework.discovery.search import FoundServer


WHOLE_LIST = "`spadework models` lists all of them"
_MOST_MODELS = 3
_MOST_NAMES = 12

_HEAD = """\
# Spadework's config file, written by `spadework`; it is yours to edit.
# `spadework config check` looks it over, `spadework config show` prints every key and its value.
"""
_NOTHING_FOUND = """
# No model server was found, so the embedded demonstration model answers.
# Looked at: {looked}
#
# A server is added like this. Its name, here koala, is yours to choose.
#
# [backends.koala]
# kind = "litellm"                    # or "ollama", "llama-swap", "openai"
# url = "http://koala:4000"
# api_key_env = "LITELLM_API_KEY"     # the variable that holds the key, never the key itself
#
# [tools.ask_coding_model]
# models = ["koala/codellama-local"]  # tried in this order
"""
_TOOLS = """
# The tools that Claude sees. What is not set here keeps its default; a tool without `models` asks
# every local model of the servers above.
"""
_ABOUT_TOOLS = {
    "ask_local_llama": "Summaries, first-pass analysis, classification, simple questions.",
    "ask_coding_model": "Syntax checks, boilerplate, formatting, simple refactors.",
}


def named(found: Iterable[FoundServer]) -> list[RankedServer]:
    """Give each server a name: its host's, or on this machine that of its kind."""
    servers: dict[str, RankedServer] = {}
    for one in found:
        host = urlsplit(one.url).hostname or ""
        wanted = one.kind if host in {LOOPBACK, "localhost", "::1"} else _first_label(host)
        choices = [wanted, f"{wanted}-{one.kind}"]
        choices += [f"{wanted}-{one.kind}-{number}" for number in range(2, len(servers) + 3)]
        name = next(choice for choice in choices if choice not in servers)
        servers[name] = RankedServer(name, one)
    return list(servers.values())


def key_variable(server: RankedServer, environ: Mapping[str, str]) -> str:
    """Choose the variable that holds a server's key: one that is set, if there is one."""
    variables = backend_class(server.found.kind).traits.key_variables
    if not variables:
        name = re.sub(r"[^A-Z0-9]", "_", f"{server.name}_API_KEY".upper())
        return f"SERVER_{name}" if name[0].isdigit() else name
    return next((name for name in variables if environ.get(name)), variables[0])


def starter(
    servers: Sequence[RankedServer], looked: Sequence[str], environ: Mapping[str, str]
) -> str:
    """Write the config file.

    Args:
        servers: what was found.
        looked: the addresses that were looked at.
        environ: the environment, for the names of the variables that hold keys.
    """
    if not servers:
        return _HEAD + _NOTHING_FOUND.format(looked=", ".join(looked))
    parts = [
        _HEAD,
        "\n# The servers that run models. A model is written NAME/MODEL.\n",
        *(_backend(server, environ) for server in servers),
        _TOOLS,
        *(_tool(name, models) for name, models in proposals(servers).items()),
    ]
    return "".join(parts)


def left_out(servers: Sequence[RankedServer]) -> dict[str, int]:
    """Say of each tool how many models were found for it that the file does not name."""
    counts = {name: len(models) - _MOST_NAMES for name, models in proposals(servers).items()}
    return {name: count for name, count in counts.items() if count > 0}


def _backend(server: RankedServer, environ: Mapping[str, str]) -> str:
    found = server.found
    lines = ["", f"# {_models_in_words(found)}", f"[backends.{server.name}]"]
    lines += [f"kind = {as_toml(found.kind)}", f"url = {as_toml(found.url)}"]
    if found.needs_key:
        variable = key_variable(server, environ)
        state = "" if environ.get(variable) else " (it is not set now)"
        lines += [f"# The variable that holds the key, never the key itself{state}."]
        lines += [f"api_key_env = {as_toml(variable)}"]
    lines += _about_passed_over(server)
    return "\n".join([*lines, ""])


def _about_passed_over(server: RankedServer) -> list[str]:
    """Say which models are not proposed and why, and how to allow them."""
    passed_over = server.passed_over
    lines = [
        f"# Not proposed below: {one.name}: {one.trust} ({one.trust_source})."
        for one in passed_over[:_MOST_NAMES]
    ]
    if len(passed_over) > _MOST_NAMES:
        lines.append(
            f"# … and {len(passed_over) - _MOST_NAMES} more that are not known to be local."
        )
    if any(one.trust == "unknown" for one in passed_over):
        lines.append(
            "# What runs on your own machines can be said at the top of this file: "
            f'local_models = ["{server.name}/NAME"]'
        )
    return lines


def _models_in_words(found: FoundServer) -> str:
    if not found.models:
        return "It did not tell its models." if found.needs_key else "It has no models yet."
    return f"Its models: {_listed(found.models)}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(map(display_name, names[:_MOST_NAMES])) + (
        f", and {rest} more: {WHOLE_LIST}" if rest > 0 else ""
    )


def _tool(name: str, models: list[Proposal]) -> str:
    lines = ["", f"# {_ABOUT_TOOLS[name]}", f"[tools.{name}]"]
    if not models:
        lines += ['# models = ["NAME/MODEL"]  # no fitting model was found by its name', ""]
        return "\n".join(lines)
    chosen, others = models[:_MOST_MODELS], models[_MOST_MODELS:_MOST_NAMES]
    lines += ["# Tried in this order: the next one when one fails.", "models = ["]
    lines += [f"  {as_toml(one.model)},  # {one.why}" for one in chosen]
    lines += [f"  # {as_toml(one.model)},  # {one.why}" for one in others]
    if (rest := len(models) - _MOST_NAMES) > 0:
        lines.append(f"  # … and {rest} more: {WHOLE_LIST}")
    return "\n".join([*lines, "]", ""])


def _first_label(host: str) -> str:
    """Make a backend's name of a host's: `koala.lan` is koala, an IP address stays whole."""
    label = host if re.fullmatch(r"(?=[^.:]*+[.:])[\d.:a-f]*", host) else host.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", label)[:40] or "server"
