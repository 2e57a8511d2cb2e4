"""Files that hold credentials: never read, for no backend.

They are known by their names, whatever the case of the letters, and private keys by their content.
"""

from __future__ import annotations

import functools
import re

from journeyman.inputs.patterns import PatternList, pattern_list

# As in .gitignore, against a file's absolute path; `!` lines are what is harmless after all.
CREDENTIAL_FILES = r"""
.env*
*.env
!.env*.example
!.env*.sample
!.env*.template
!.env*.dist
**/.env/**
**/.envs/**

# private keys and keystores
id_*
!id_*.*
id_rsa.*
id_dsa.*
id_ecdsa.*
id_ecdsa_sk.*
id_ed25519.*
id_ed25519_sk.*
!id_*.pub
*.pem
*.key
*.p8
*.p12
*.pfx
*.ppk
*.jks
*.bks
*.keystore
*.kdb
*.kdbx
**/.ssh/**
!**/.ssh/**/*.pub
**/.gnupg/**

# logins of command-line tools
.netrc
_netrc
.npmrc
.pypirc
.pgpass
.my.cnf
.mylogin.cnf
.htpasswd
.git-credentials
**/.git/**/config
**/.config/git/credentials
**/.config/gh/hosts.yml
**/.config/gcloud/**
**/.aws/credentials
**/.aws/config
**/.aws/sso/**
**/.aws/cli/**
**/.azure/*token*
**/.docker/config.json
.dockercfg
.dockerconfigjson
**/.kube/config
**/.cargo/credentials
**/.cargo/credentials.toml
**/.gem/credentials
**/.terraform.d/credentials.tfrc.json
**/huggingface/token
.databrickscfg
.s3cfg
.boto
.vault-token
credentials.json
*[._-]credentials.json
client_secret*.json
service[_-]account*.json
.claude.json
**/.codex/auth.json
**/.gemini/oauth_creds.json
/proc/*/environ
/proc/*/task/*/environ
"""

KEY_MARK = r"-{4,5} ?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
# A line of its own, or followed by key material, also where `\n` is spelt out as in JSON.
# A marker in a program's string literal with nothing after it is no key.
PRIVATE_KEY = re.compile(
    rf"^[ \t]*{KEY_MARK}[ \t]*$"
    rf"|{KEY_MARK}(?:\s|\\[nr])*(?:[A-Za-z0-9+/=]{{20}}|[A-Za-z-]+: )",
    re.MULTILINE,
)


def credential_pattern(path: str) -> str | None:
    """Give the pattern by which an absolute path is a credential file, None if it is none."""
    line = _credential_files().line_for(path.removeprefix("/"))
    return None if line is None or line.startswith("!") else line


def holds_private_key(text: str) -> bool:
    """Whether a private key stands in the text."""
    return "PRIVATE KEY" in text and PRIVATE_KEY.search(text) is not None


@functools.cache
def _credential_files() -> PatternList:
    return pattern_list(CREDENTIAL_FILES, re.IGNORECASE)
