"""The way through `spadework setup`: look, propose, ask, change, prove, and say what to try."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.api import Spadework
from spadework.claude_code.claude_client import client_word
from spadework.claude_code.client_files import read_content
from spadework.claude_code.handshake import shake_hands
from spadework.claude_code.other_clients import CLAUDE_CODE
from spadework.claude_code.server_entries import TOKEN_VARIABLE, claude_entry
from spadework.claude_code.setup_plan import make_plan
from spadework.claude_code.undo_journal import missing_folders
from spadework.cli.async_runner import run
from spadework.cli.config_init import find_servers, sets_nothing
from spadework.cli.console import agrees, confirm, say
from spadework.config.loader import load_config
from spadework.config.toml_files import write_config
from spadework.discovery.model_ranking import proposals
from spadework.discovery.starter_file import WHOLE_LIST, starter
from spadework.errors import HandedBack, SpadeworkError
from spadework.util.atomic_files import replace_file
from spadework.util.paths import user_config_file
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.claude_client import ClaudePaths, Scope
    from spadework.claude_code.setup_plan import PlannedChange, SetupPlan
    from spadework.claude_code.undo_journal import UndoJournal
    from spadework.discovery.model_ranking import RankedServer
    from spadework.engine.job import Answer

_TASK = "Answer with the single word: ready"
_TASK_TOKENS = 512  # a model that thinks first needs some
_MOST_SHOWN = 3
_MOST_MODELS = 20


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """What the user asked for; `quiet` keeps standard output for JSON."""

    client: str
    scope: Scope
    url: str
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    allow: bool
    new_config: bool
    yes: bool
    dry_run: bool
    quiet: bool


def set_up(wishes: SetupOptions, places: ClaudePaths, record: UndoJournal) -> dict[str, Any]:
    """Do all of it, or only show it.

    Returns:
        What was done, for `--json`; "ok" says whether the server answered.

    Raises:
        ConfigError: a file cannot be read or written; what was changed before is on record.
        ArgumentError: an option cannot be honoured, or standard input is not a terminal.
    """
    plan = make_plan(wishes.client, wishes.scope, wishes.url, places, os.environ)
    file = user_config_file()
    text = "" if wishes.url else _new_config(wishes, file)
    changes = _wanted(plan, wishes)
    _show(plan, changes, wishes, file if text else None)
    told = {
        "client": wishes.client,
        "scope": wishes.scope,
        "server": plan.server.described(),
        "config": None if wishes.url else str(file),
        "notes": list(plan.notes),
        "changes": [_as_told(change) for change in changes],
    }
    if wishes.dry_run:
        say("nothing was changed (--dry-run)")
        return told | {"config_text": text or None}
    asked_together = text or any(not one.question for one in changes)
    if asked_together and not wishes.yes:
        confirm("Make these changes?" if not text else f"Write {file}, and make these changes?")
    changes = [one for one in changes if not one.question or wishes.yes or agrees(one.question)]
    with record.alone():
        if text:
            _write_config(record, wishes, file, text)
        for change in changes:
            _make(record, change, wishes)
    if not (text or changes):
        say("already set up: nothing was changed")
    told |= _proven(plan, wishes)
    if told["ok"]:
        _say_what_to_try(wishes, plan)
    return told


def _new_config(wishes: SetupOptions, file: Path) -> str:
    """Write the config's text, or show what the one that is there has; empty if it stays."""
    if os.path.lexists(file) and not (wishes.new_config or sets_nothing(file)):
        say(f"using the existing config: {file}")
        if wishes.hosts or wishes.ports:
            say("  --host and --port are ignored; --new-config writes a new config")
        _show_models_of_config()
        return ""
    servers, looked = find_servers(wishes.hosts, wishes.ports, ask=not wishes.yes)
    _show_found(servers)
    text = starter(servers, looked, os.environ)
    if not servers:
        say("no server was found; the embedded model will answer")
        if os.path.lexists(file) and not wishes.new_config:
            return ""
    if not wishes.quiet:
        print(text)
    return text


def _show_found(servers: Sequence[RankedServer]) -> None:
    """Say which models there are, and which of them are proposed for which tool."""
    for server in servers:
        for model in server.found.models[:_MOST_MODELS]:
            say(f"    {display_name(f'{server.name}/{model}')}")
    for tool, models in proposals(servers).items() if servers else ():
        say(f"{tool}:" + ("" if models else " no model fits by its name, so every model is used"))
        for one in models[:_MOST_SHOWN]:
            say(f"    {display_name(one.model)}: {one.why}")
        if (rest := len(models) - _MOST_SHOWN) > 0:
            say(f"    … and {rest} more: {WHOLE_LIST}")


def _show_models_of_config() -> None:
    from spadework.remote.remote_engine import RemoteEngine

    async def survey() -> None:
        config = load_config().config
        async with RemoteEngine(config, daemon=False) as engine:
            found = await engine.survey(engine.tools(Path.cwd()))
        for model in found.models[:_MOST_MODELS]:
            tools = ", ".join(found.tools_of(model)) or "no tool"
            window = f", a window of {model.window} tokens" if model.window else ""
            say(f"    {display_name(model.id)}: for {tools}{window}")
        for failed in found.failed:
            say(f"    {failed}")

    run(survey())


def _wanted(plan: SetupPlan, wishes: SetupOptions) -> list[PlannedChange]:
    """Leave out the allow rule where nobody may be asked and it was not asked for."""
    wanted = [
        change for change in plan.open if not change.question or not wishes.yes or wishes.allow
    ]
    if len(wanted) < len(plan.open):
        say("note: --yes without --allow does not allow Claude to call the tools without asking;")
        say("  Claude Code will ask you at the first call")
    return wanted


def _show(
    plan: SetupPlan, changes: list[PlannedChange], wishes: SetupOptions, config: Path | None
) -> None:
    for note in plan.notes:
        say(f"note: {note}")
    if config:
        say(f"the config will be written to {config}")
    for change in changes:
        say(f"{change.why}:")
        for line in change.lines():
            print(line, file=sys.stderr if wishes.quiet else sys.stdout)
    sys.stdout.flush()


def _as_told(change: PlannedChange) -> dict[str, Any]:
    edit = change.edit
    return {"file": str(edit.file), "kind": edit.kind, "keys": list(edit.keys), "why": change.why}


def _write_config(record: UndoJournal, wishes: SetupOptions, file: Path, text: str) -> None:
    if not sets_nothing(file) and os.path.lexists(file) and not wishes.new_config:
        say(f"{file} was created in the meantime and is kept")
        return
    before, made = read_content(file).raw, missing_folders(file)
    if before is not None and sets_nothing(file):
        replace_file(file, text.encode())  # the record keeps a copy; another one is of no use
        backup = None
    else:
        backup = write_config(file, text)
    record.wrote(file, before, made)
    say(f"wrote {file}" + (f"; the previous one is {backup}" if backup else ""))


def _make(record: UndoJournal, change: PlannedChange, wishes: SetupOptions) -> None:
    shared = wishes.scope == "project"
    record.do(change.edit, wishes.client, wishes.scope, shared=shared)
    say(f"changed {change.edit.file}")


def _proven(plan: SetupPlan, wishes: SetupOptions) -> dict[str, Any]:
    """Show that it works: the handshake, the client's word, one delegation."""
    try:
        hands = run(shake_hands(plan.server, os.environ))
    except SpadeworkError as error:
        say(f"error: {error}")
        say(f"hint: {error.hint}")
        say("the registration is kept; `spadework setup --remove` undoes it")
        return {"ok": False, "handshake": str(error)}
    say(f"handshake: {plan.server.described()} answered (MCP {hands.protocol})")
    say(f"    its tools: {', '.join(hands.names)}")
    told: dict[str, Any] = {
        "ok": True,
        "handshake": {"protocol": hands.protocol, "tools": list(hands.names)},
    }
    if wishes.client == CLAUDE_CODE:
        told["client_says"] = _heard(plan)
        told["ok"] = told["client_says"] is None or "Connected" in told["client_says"]
    if not wishes.url:
        told["delegation"] = _delegated()
    return told


def _heard(plan: SetupPlan) -> str | None:
    word = client_word(claude_entry(plan.server), os.environ)
    if word is None:
        say("note: `claude` is not on PATH, so Claude Code was not asked")
        return None
    say(f"Claude Code {word.version} reports: {word.status}")
    return word.status


def _delegated() -> dict[str, Any]:
    """Delegate one small task for real, and say plainly if no model answers."""
    try:
        answer = run(_ask())
    except HandedBack as back:
        say("no model answered yet; the tools hand back to Claude until one does:")
        for attempt in back.tries[:_MOST_SHOWN]:
            say(f"    {attempt}")
        if not load_config().config.backends:
            say("    `spadework embedded install` fetches a demonstration model")
        return {"outcome": "handed-back", "tries": list(back.tries)}
    except SpadeworkError as error:
        say(f"no model answered yet: {error}" + (f" ({error.hint})" if error.hint else ""))
        return {"outcome": "failed", "error": str(error)}
    seconds = answer.figures.seconds
    say(f"delegation: {answer.model} answered in {seconds:.1f} s: {answer.text[:80]!r}")
    return {"outcome": "answered", "model": answer.model, "seconds": seconds}


async def _ask() -> Answer:
    say("delegating one small task; a model that must be loaded first takes a while …")
    async with Spadework(session="setup") as spadework:
        return await spadework.ask(_TASK, max_tokens=_TASK_TOKENS)


def _say_what_to_try(wishes: SetupOptions, plan: SetupPlan) -> None:
    if wishes.client != CLAUDE_CODE:
        say(f"restart {wishes.client} to use the tools; `spadework setup --remove` undoes this")
        return
    if plan.server.url:
        say(f"start `claude` with {TOKEN_VARIABLE} set to the token from `spadework token new`")
    say("In a new Claude Code session try:")
    say("    /mcp                                            shows spadework as connected")
    say('    "Have the local model summarize README.md."     delegates the reading')
    say('    "Which local models are there?"                 lists them')
    say("`spadework log` shows what was delegated; `spadework setup --remove` undoes the setup.")
