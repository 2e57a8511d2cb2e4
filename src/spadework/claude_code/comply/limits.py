"""The hard limits, as checks of single settings, and the programs that break them.

No text that they give holds a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spadework.config.secret_masking import (
    SUBSCRIPTION_PREFIX,
    SUBSCRIPTION_VARIABLES,
    is_secret_name,
    is_secret_value,
    may_be_secret_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.claude_code.comply.inspected_sources import NamedSetting


@dataclass(frozen=True, slots=True)
class Harness:
    """One program.

    `holds` are files, relative to the home folder, that hold a Claude login by their very name;
    `may_hold` those that may hold one among others. `words` are its commands and packages, as
    written in server entries, settings and shell profiles.
    """

    name: str
    does: str
    holds: tuple[str, ...] = ()
    may_hold: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


HARNESSES = (
    # github.com/musistudio/claude-code-router, README: `ccr code`, `eval "$(ccr activate)"`.
    Harness(
        "claude-code-router",
        "sends Claude Code to other models",
        may_hold=(".claude-code-router/config.json",),
        words=("ccr", "claude-code-router", "@musistudio/claude-code-router"),
    ),
    # mintlify.com/router-for-me/CLIProxyAPI: quickstart (auth-dir) and oauth/claude (file names).
    Harness(
        "CLIProxyAPI",
        "serves a Claude login to other programs",
        holds=(".cli-proxy-api/claude-*.json",),
        words=("CLIProxyAPI", "cli-proxy-api", "cliproxyapi"),
    ),
    # docs.ccs.kaitran.ca/reference/file-locations: OAuth tokens of each provider.
    Harness(
        "CCS",
        "keeps Claude logins and switches between them",
        holds=(".ccs/cliproxy/auth/claude-*.json",),
        may_hold=(".ccs/config.yaml",),
        words=("@kaitranntt/ccs", "@kaidu/ccs"),
    ),
    # github.com/sst/opencode, packages/opencode/src/auth; docs.rs/opencode-provider-manager (path).
    # github.com/griffinmartin/opencode-claude-auth and
    # github.com/cemalturkcan/opencode-anthropic-login-via-cli: plugins that take Claude's login.
    Harness(
        "opencode",
        "may hold a Claude login among its providers",
        may_hold=(".local/share/opencode/auth.json",),
        words=(
            "opencode-claude-auth",
            "opencode-anthropic-auth",
            "opencode-anthropic-login-via-cli",
            "opencode-claude-max-proxy",
        ),
    ),
    # pi.dev/docs, providers: `/login` with Claude Pro/Max keeps its tokens there.
    # github.com/cgaravitoq/pi-claude-code-auth: an extension that reads Claude Code's own login.
    Harness(
        "pi",
        "may hold a Claude login among its providers",
        may_hold=(".pi/agent/auth.json",),
        words=("pi-claude-code-auth",),
    ),
    # docs.openclaw.ai/concepts/oauth: where tokens live; `claude setup-token` is pasted there.
    Harness(
        "OpenClaw",
        "may hold the token of a Claude subscription",
        may_hold=(".openclaw/agents/*/agent/auth-profiles.json",),
    ),
    # docs.openclaw.ai/providers/claude-max-api-proxy: the command is `claude-max-api`.
    Harness(
        "claude-max-api-proxy",
        "serves a Claude login to other programs",
        words=("claude-max-api", "claude-max-api-proxy"),
    ),
    # The page of the package ccproxy-api: "use your existing Claude Max subscription".
    Harness(
        "ccproxy-api", "serves a Claude login to other programs", words=("ccproxy-api", "ccproxy")
    ),
    # docs.rs/crate/shunt-proxy, src/config.rs: credentials_path.
    Harness(
        "shunt-proxy",
        "pools Claude logins behind one address",
        holds=(".config/shunt/credentials.json",),
        words=("shunt-proxy",),
    ),
)


ADDRESSES = frozenset({"ANTHROPIC_BASE_URL"})
BEARERS = frozenset({"ANTHROPIC_AUTH_TOKEN"})

_REFERENCE = re.compile(r"\$(?:\w+|\{\w+(?::?-[^}]*)?\}|\(.*\)|env:\w+)|\{env:\w+\}|%\w+%|`.*`")
_SCHEME = re.compile(r"(?:Bearer|Basic)\s+", re.IGNORECASE)
_LOGIN_FILE = re.compile(r"\.credentials\.json|Claude Code-credentials")
_UNSET = "take the line out, and open a new shell"


@dataclass(frozen=True, slots=True)
class Breach:
    """What a setting does that it may not; no field holds a value."""

    code: str
    text: str
    cure: str


def breaches(setting: NamedSetting) -> Iterator[Breach]:
    """Hold one setting against the rules; what is empty sets nothing."""
    name, value = setting.name, setting.value.strip()
    if not value:
        return
    if name in ADDRESSES and not _is_anthropic(value):
        text = f"{name} is pointed elsewhere than at Anthropic"
        yield Breach(
            "address", text, f"{_UNSET}; other models are reached as tools, not as Claude's API"
        )
    if SUBSCRIPTION_PREFIX in value:
        yield Breach(
            "subscription-token",
            "the token of a Claude subscription stands here",
            "take it out: `/logout` in "
            "Claude Code ends it; for batch work use an API key of your own",
        )
    elif name in SUBSCRIPTION_VARIABLES:
        text = f"{name} gives a subscription's login to every program that is started with it"
        yield Breach("subscription-login", text, f"{_UNSET}; Claude Code keeps its own login")
    elif name in BEARERS:
        text = f"{name} is set: Claude Code sends it in place of its own login, to a gateway"
        yield Breach(
            "bearer", text, f"{_UNSET}; an API key of Anthropic's goes into ANTHROPIC_API_KEY"
        )
    if _LOGIN_FILE.search(value):
        text = "the file of Claude Code's login is named here, for another program to read"
        yield Breach("login-file", text, "take it out: the login is for Claude Code alone")


def is_key(setting: NamedSetting) -> bool:
    """Tell whether a setting holds a key, and not only where it is found."""
    value = _SCHEME.sub("", setting.value.strip(), count=1)
    if _REFERENCE.fullmatch(value):
        return False
    return is_secret_value(value) or (is_secret_name(setting.name) and may_be_secret_value(value))


def named_harness(value: str) -> Harness | None:
    """Tell which harness a command line names as a program or a package, if any."""
    words = {re.split(r"[/\\]", word)[-1] for word in re.findall(r"[^\s\"'`$();|&=,]+", value)}
    words |= set(re.findall(r"@[\w.-]+/[\w.-]+", value))
    words = {re.sub(r"(?<=\w)@[\w.^~-]+$", "", word) for word in words}
    return next((one for one in HARNESSES if words & set(one.words)), None)


def _is_anthropic(address: str) -> bool:
    """Tell whether an address is Anthropic's own, over TLS."""
    try:
        parts = urlsplit(address.replace("\\/", "/"))
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    return parts.scheme == "https" and (host == "anthropic.com" or host.endswith(".anthropic.com"))
