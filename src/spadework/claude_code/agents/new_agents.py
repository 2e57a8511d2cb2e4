"""Works out changes: a model set, an agent made from a text of ours or copied from another."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.claude_code.agents import agent_models
from spadework.claude_code.agents.agent_files import project_root
from spadework.claude_code.agents.frontmatter_editing import set_key
from spadework.claude_code.undo_journal import FileChange
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.agents.definitions import Agent
    from spadework.claude_code.agents.inventory import AgentInventory
    from spadework.claude_code.claude_client import Scope

KINDS = ("explorer", "courier")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def text_of(kind: str) -> bytes:
    """The file of an agent that comes with Spadework."""
    return (resources.files(__package__) / "texts" / f"{kind}.md").read_bytes()


def checked_model(model: str) -> str:
    """Validate the name of a model for a frontmatter.

    Raises:
        ArgumentError: the client does not know it.
    """
    if agent_models.is_writable(model):
        return model
    raise ArgumentError(
        f"the client knows no model {model!r}: it would send the name to the API as it stands",
        hint="haiku, sonnet, opus, inherit or a full claude-… id; a local model is reached through "
        "a tool: `spadework agents new courier`",
    )


def find_agent(agents: Sequence[Agent], name: str, scope: str = "") -> Agent:
    """Find the agent of a name whose file may be edited: the one that counts, or a scope's.

    Raises:
        ArgumentError: there is none, or its file is not the user's.
    """
    named = [agent for agent in agents if agent.name == name and not agent.dropped]
    own = [agent for agent in named if agent.source in {"user", "project"}]
    chosen = [agent for agent in own if agent.source == scope] if scope else own
    if chosen:
        return next((agent for agent in chosen if agent.counts), chosen[-1])
    if scope and own:
        raise ArgumentError(f"{name!r} is not a {scope} agent, but a {own[0].source} agent")
    if named and named[0].source == "plugin":
        raise ArgumentError(
            f"{name} belongs to a plugin, whose files its next update writes anew",
            hint=f"`spadework agents copy {name} --model MODEL` makes one of your own",
        )
    if named:
        raise ArgumentError(
            f"{name} is built in and has no file",
            hint=f"`spadework agents new explorer --name {name}` puts one of yours in its place",
        )
    names = ", ".join(dict.fromkeys(agent.name for agent in agents if agent.counts))
    raise ArgumentError(f"no such agent: {name!r}", hint=f"the agents are: {names}")


def model_change(agent: Agent, model: str) -> FileChange | None:
    """Work out how an agent's model is set; None if it is so already.

    Raises:
        ArgumentError: the file cannot be edited for sure; names it.
    """
    path = agent.path or Path()
    before = path.read_bytes()
    try:
        after = set_key(before.decode(), "model", model).encode()
    except UnicodeDecodeError:
        raise ArgumentError(f"{path}: not valid UTF-8", hint="save it as UTF-8") from None
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}", hint=error.hint) from None
    return None if after == before else FileChange(path, before, after)


def new_agent(
    content: bytes,
    survey: AgentInventory,
    *,
    name: str,
    scope: Scope,
    force: bool,
    keys: dict[str, str] | None = None,
) -> FileChange:
    """Work out how an agent is made.

    Args:
        content: the file that it is made from.
        survey: what is there.
        name: what it is called, and its file with it.
        scope: user or project.
        force: replace what is there.
        keys: what else is set in its frontmatter.

    Raises:
        ArgumentError: the name is wrong, or taken.
    """
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"{name!r} is not a valid agent name", hint="letters, digits, `-` and `_`, 64 at most"
        )
    folder = survey.places.agents["user"]
    if scope == "project":
        folder = project_root(survey.places) / ".claude" / "agents"
    path = folder / f"{name}.md"
    text = content.decode()
    for key, value in {"name": name, **(keys or {})}.items():
        text = set_key(text, key, value)
    _refuse_taken(survey, name, scope, path)
    before = path.read_bytes() if path.exists() else None
    if before is not None and before != text.encode() and not force:
        raise ArgumentError(f"{path} is already there", hint="--force replaces it and keeps a copy")
    return FileChange(path, before, text.encode())


def _refuse_taken(survey: AgentInventory, name: str, scope: Scope, path: Path) -> None:
    """Two files of one folder that have the same name: it would be luck which one counts."""
    folder = path.parent.resolve()
    for agent in survey.agents:
        other = agent.path.resolve() if agent.path else None
        if agent.name != name or agent.source != scope or other in {None, path.resolve()}:
            continue
        if other is not None and other.is_relative_to(folder):
            raise ArgumentError(
                f"{agent.path} is an agent of the name {name!r} already",
                hint="choose another --name",
            )


def copied(
    agent_name: str, survey: AgentInventory, *, name: str, scope: Scope, force: bool, model: str
) -> FileChange:
    """Work out how an agent is copied to a file of the user's; name and description are put in.

    Raises:
        ArgumentError: the file does not exist, or cannot be edited reliably.
    """
    found = next((one for one in survey.agents if one.name == agent_name and one.counts), None)
    if found is None or found.path is None:
        raise ArgumentError(
            f"no agent file to copy: {agent_name!r}", hint="see `spadework agents list`"
        )
    keys = {"model": model} if model else {}
    if "description" not in found.lines:
        keys["description"] = found.description
    called = name or agent_name.rpartition(":")[2]
    try:
        content = found.text.encode()
        return new_agent(content, survey, name=called, scope=scope, force=force, keys=keys)
    except ArgumentError as error:
        raise ArgumentError(f"copying {agent_name}: {error}", hint=error.hint) from None
