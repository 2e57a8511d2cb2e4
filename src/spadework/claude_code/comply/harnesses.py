"""Third-party programs that use the login of a Claude subscription, or send Claude Code elsewhere.

Data, each with its source. Only whether a path exists is looked at, and whether a command or a
package is named: what such files hold is never read.
"""

from __future__ import annotations

from dataclasses import dataclass


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
        "ccproxy-api",
        "serves a Claude login to other programs",
        words=("ccproxy-api", "ccproxy"),
    ),
    # docs.rs/crate/shunt-proxy, src/config.rs: credentials_path.
    Harness(
        "shunt-proxy",
        "pools Claude logins behind one address",
        holds=(".config/shunt/credentials.json",),
        words=("shunt-proxy",),
    ),
)
