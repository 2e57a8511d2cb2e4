"""The whole config for a proxy that has none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spadework.litellm.model_entries import ENVIRONMENT
from spadework.litellm.round_trip import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spadework.litellm.model_entries import ModelEntry
    from spadework.litellm.yaml_tree import Comments

MASTER_KEY_VARIABLE = "LITELLM_MASTER_KEY"
TOKEN_VARIABLE = "SPADEWORK_TOKEN"  # noqa: S105 - the name of a variable, not a token
MCP_NAME = "spadework"
"""The name of our MCP server at the gateway, which puts it before each tool's."""

UNKNOWN_WINDOW = "window unknown: add max_input_tokens, or load the model and merge again"

_HEAD = """\
# LiteLLM proxy config, written by `spadework litellm config`; it is yours to edit.
# A model_name that stands here twice is shared: LiteLLM spreads its requests over both servers.
# No key stands here: os.environ/NAME is read from the environment of the proxy.
"""
_GATEWAY = """\
# LiteLLM can serve Spadework's tools to MCP clients too, with `spadework serve` beside it.
# {variable} is what `spadework token new` printed. LiteLLM needs it to be set: where our
# server asks for no token, on loopback, any text will do.
#
"""


def whole(
    entries: Sequence[ModelEntry],
    mcp_url: str,
    notes: Iterable[str] = (),
    proposed_mcp_url: str = "",
) -> tuple[str, dict[str, Any]]:
    """Write a config.

    Args:
        entries: the models.
        mcp_url: the address of our MCP server; empty: `mcp_servers` is not written.
        notes: what else the reader should know, for the comments.
        proposed_mcp_url: the address for a commented proposal, where `mcp_url` is empty.

    Returns:
        The text, and the same as data.
    """
    data: dict[str, Any] = {"model_list": [entry.as_data() for entry in entries]}
    data["general_settings"] = key_table()
    parts = [_HEAD, *(f"# Note: {' '.join(note.split())}\n" for note in notes), "\n"]
    comments: Comments = {
        ("model_list", place, *path): text
        for place, entry in enumerate(entries)
        for path, text in comments_of(entry).items()
    }
    if mcp_url:
        data["mcp_servers"] = server_table(mcp_url)
    parts.append("\n".join(written({key: data[key]}, comments) for key in data))
    if proposed_mcp_url and not mcp_url:
        proposal = written({"mcp_servers": server_table(proposed_mcp_url)}).splitlines()
        parts += ["\n", _GATEWAY.format(variable=TOKEN_VARIABLE), *(f"# {x}\n" for x in proposal)]
    return "".join(parts), data


def comments_of(entry: ModelEntry) -> Comments:
    """Return what is said of an entry behind its lines."""
    comments: Comments = {("litellm_params", "api_base"): entry.server}
    if entry.window:
        source = " ".join(entry.window_source.split())
        comments["model_info", "max_input_tokens"] = source
    else:
        comments["model_info", "mode"] = UNKNOWN_WINDOW
    return comments


def key_table() -> dict[str, Any]:
    """Return the settings that name the proxy's key, by reference."""
    return {"master_key": ENVIRONMENT + MASTER_KEY_VARIABLE}


def server_table(mcp_url: str) -> dict[str, Any]:
    """Return `mcp_servers` with our MCP server.

    Args:
        mcp_url: its address, such as `http://127.0.0.1:8765/mcp`.
    """
    settings = {
        "url": mcp_url,
        "transport": "http",
        "auth_type": "bearer_token",
        "auth_value": ENVIRONMENT + TOKEN_VARIABLE,
    }
    return {MCP_NAME: settings}
