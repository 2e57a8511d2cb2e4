"""The client, where the server is registered with it, and what Claude reads of its tools."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spadework import __version__
from spadework.claude_code.claude_client import NEWEST_KNOWN, OLDEST_KNOWN
from spadework.config.secret_masking import masked
from spadework.shim.rendezvous import is_newer
from spadework.util.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spadework.claude_code.claude_client import Client
    from spadework.claude_code.handshake import Handshake
    from spadework.claude_code.registrations import RegisteredServer, Registration

SLOW_SECONDS = 5.0
LONGEST_DESCRIPTION = 2048
"""Characters; older clients cut there, the newest at 4,096."""
OUR_LONGEST = 2000
"""Where `spadework.mcp.tool_descriptions` cuts."""
MANY_BYTES = 12_000
REGISTER = "spadework setup"

_PLAIN = frozenset({"mcp", "spadework", "-m", "-y", "--in-process", "--config"})
"""Arguments that are shown; any other one might be a secret."""


def check_client(client: Client | None) -> Finding:
    """Is Claude Code there, and of a version that is known?"""
    if client is None:
        return Finding(
            "warning",
            "client",
            "",
            "Claude Code was not found; `spadework ask` works without it",
            "install Claude Code, or put `claude` on the PATH",
        )
    if not client.version:
        return Finding(
            "warning",
            "client",
            "",
            f"{client.program} does not tell its version",
            "run `claude --version` and see what it says",
        )
    text = f"Claude Code {client.version}: {client.program}"
    if is_newer(OLDEST_KNOWN, than=client.version):
        text += f"; Spadework was tried with {OLDEST_KNOWN} to {NEWEST_KNOWN}"
        return Finding("warning", "client", "", text, "`claude update`")
    if is_newer(client.version, than=NEWEST_KNOWN):
        text += f"; the newest that Spadework was tried with is {NEWEST_KNOWN}"
    return Finding("ok", "client", "", text)


def check_registration(found: Registration, *, has_client: bool) -> list[Finding]:
    """Where is the server registered, and does the client start it?

    Args:
        found: the entries.
        has_client: whether a client is installed; if not, a missing entry is not a failure.
    """
    findings = [_unreadable(file.name, str(file), why) for file, why in found.problems]
    findings += [finding for entry in found.entries for finding in _of(entry, bool(found.used))]
    if not found.used:
        pending = any(entry.state == "pending" for entry in found.entries)
        findings.append(
            Finding(
                "error" if has_client else "warning",
                "registration",
                "",
                "Claude Code starts no server of Spadework in this folder",
                "run `claude` here and accept the server of .mcp.json, or: " * pending + REGISTER,
            )
        )
    if len({entry.name for entry in found.used}) > 1:
        names = ", ".join(masked(entry.name) for entry in found.used)
        findings.append(
            Finding(
                "warning",
                "registration",
                "",
                f"registered under several names ({names}): Claude sees every tool more than once",
                "keep one: " + " or ".join(_away(entry) for entry in found.used),
            )
        )
    return findings


def _away(entry: RegisteredServer) -> str:
    """Say the command that takes an entry away; a plugin's server goes with the plugin only."""
    name = masked(entry.name)
    if entry.origin == "plugin":
        return f"`claude plugin disable {name.split(':')[1]}`"
    return f"`claude mcp remove {name} --scope {entry.origin}`"


def what(entry: RegisteredServer) -> str:
    """Say what an entry runs, without what could be a secret in it."""
    if entry.url:
        scheme, _, rest = entry.url.partition("://")
        return masked(f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}/…")
    return masked(" ".join([entry.command, *(a if a in _PLAIN else "…" for a in entry.args)]))


def _unreadable(name: str, file: str, why: str) -> Finding:
    hint = "fix it"
    if name == ".claude.json":
        hint += ", or put back one of the client's copies: ~/.claude/backups"
    return Finding("error", "file", name, f"{file} {why}", hint)


def _of(entry: RegisteredServer, has_other: bool) -> Iterator[Finding]:
    where = f"{entry.origin} scope, {entry.file}"
    name = masked(entry.name)
    match entry.state:
        case "used":
            origin = f"plugin, {entry.file}" if entry.origin == "plugin" else where
            yield Finding("ok", "registration", "", f"{name} ({origin}): {what(entry)}")
        case "shadowed":
            yield Finding(
                "warning",
                "registration",
                "",
                f"{name} ({where}) is shadowed by the entry of the {entry.by} scope",
                f"remove one: `claude mcp remove {name} --scope {entry.origin}`",
            )
        case "pending":
            yield Finding(
                "warning",
                "registration",
                "",
                f"{name} ({where}) is pending approval: the client does not start it",
                "run `claude` in this folder and accept it",
            )
        case "rejected":
            yield Finding(
                "warning",
                "registration",
                "",
                f"{name} ({where}) was rejected: it is listed in disabledMcpjsonServers",
                "`claude mcp reset-project-choices`, then run `claude` and accept it",
            )
        case "disabled":
            yield Finding(
                "warning",
                "registration",
                "",
                f"{name} ({where}) is disabled for this project",
                "enable it with /mcp in Claude Code",
            )
        case "dead":
            yield Finding(
                "warning" if has_other else "error",
                "registration",
                "",
                f"{name} is in {entry.file}: Claude Code ignores mcpServers there",
                f"{REGISTER} moves it to where it counts" if not has_other else "take it out",
            )
        case "left-out":
            yield Finding(
                "warning",
                "registration",
                "",
                f"{name} runs what the {entry.by} scope runs: the client leaves the plugin's out",
                f"keep one: `claude mcp remove spadework --scope {entry.by}`, or {_away(entry)}",
            )


def check_handshake(greeting: Handshake, *, is_registered: bool) -> list[Finding]:
    """Is the server up in time, and of this version?"""
    who = "the registered command" if is_registered else "`spadework mcp`"
    text = (
        f"{who} answers in {greeting.seconds:.2f} s: spadework {greeting.version}, "
        f"MCP {greeting.protocol}"
    )
    if greeting.version and greeting.version != __version__:
        return [
            Finding(
                "warning",
                "handshake",
                "",
                f"{text}; but this is {__version__}",
                "register the program of this version, or end an old daemon with "
                "`spadework daemon stop`",
            )
        ]
    if greeting.seconds > SLOW_SECONDS:
        cure = "`spadework daemon start` before the first window keeps it warm"
        return [Finding("warning", "handshake", "", f"{text}: that is slow", cure)]
    return [Finding("ok", "handshake", "", text)]


def check_tools(greeting: Handshake) -> list[Finding]:
    """What does the tool list cost in each session, and does Claude read all of it?"""
    longest = max(greeting.descriptions, default=0)
    text = f"{len(greeting.names)} tools, {greeting.size} bytes; the longest description {longest}"
    if not greeting.names:
        return [Finding("error", "tool-list", "", "the server offers no tools")]
    if long := [
        name
        for name, length in zip(greeting.names, greeting.descriptions, strict=True)
        if length >= OUR_LONGEST
    ]:
        what = f"{text}: {', '.join(long)} cut at {OUR_LONGEST} characters"
        cure = "shorten its use_for, avoid_for or labels: clients cut at 2,048 characters"
        return [Finding("warning", "tool-list", "", what, cure)]
    if greeting.instructions > LONGEST_DESCRIPTION:
        what = f"{text}; the instructions have {greeting.instructions} characters and are cut"
        return [Finding("warning", "tool-list", "", what, "shorten them")]
    if greeting.size > MANY_BYTES:
        cure = "fewer tools or shorter descriptions: every session pays for each byte"
        return [Finding("warning", "tool-list", "", text, cure)]
    return [Finding("ok", "tool-list", "", f"{text} characters, none cut")]


def check_loading(
    entry: RegisteredServer, greeting: Handshake, environ: Mapping[str, str]
) -> Finding:
    """Does Claude see the tools at once, or must it search for them?"""
    if entry.always_load or greeting.always:
        return Finding("ok", "tool-search", "", "the tools are always loaded (alwaysLoad)")
    if environ.get("ENABLE_TOOL_SEARCH", "").lower() in {"0", "false", "off"}:
        return Finding(
            "ok", "tool-search", "", "off (ENABLE_TOOL_SEARCH): the tools are always loaded"
        )
    return Finding(
        "ok",
        "tool-search",
        "",
        'deferred: Claude sees names until it searches; `"alwaysLoad": true` in the server\'s '
        "entry loads them at once",
    )
