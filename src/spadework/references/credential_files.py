"""Files that hold credentials: never read, for no backend.

They and their copies are known by their names, whatever the case of the letters, and private keys
by their content.

The names are what tools really write, from their documentation, checked for gaps against two
maintained lists of which no text is taken: build_lists/sensitive_files.yaml of PEASS-ng (GPL,
c7ff1e9 of 2026-08-17) and disable-common.inc of firejail (GPL-2, 0.9.72). Left out are names that
ordinary sources have too (`settings.xml`, `config.json`, `config.php`), and what is public
(certificates, `.pub`).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import re2  # type: ignore[import-untyped]  # it has no stubs

from spadework.references.wildcards import wildcard_regex

if TYPE_CHECKING:
    from collections.abc import Iterator


# As in .gitignore; with `!`: harmless after all.
CREDENTIAL_NAMES = r"""
# environments of programs
.env* *.env !.env*.example !.env*.sample !.env*.template !.env*.dist **/.env/** **/.envs/**
.dev.vars* !.dev.vars.example .flaskenv .Renviron .Renviron.* .secret .secrets .secrets.*
!.secrets.baseline /proc/*/environ /proc/*/task/*/environ

# private keys
id_* !id_*.* id_rsa.* id_dsa.* id_ecdsa.* id_ecdsa_sk.* id_ed25519.* id_ed25519_sk.* !id_*.pub *_rsa
*_dsa *_ecdsa *_ed25519 ssh_host_*_key deploy[_-]key private[_-]key private[_-]key.json
insecure_private_key privkey* *.privkey *.pem *.key *.p8 *.p12 *.pfx *.pkcs12 *.ppk *.pvk *.snk
*.jwk *.agekey **/age/*key*.txt age[_-]key*.txt adbkey **/.ssh/** !**/.ssh/**/*.pub **/.gnupg/**
**/private-keys-v1.d/** secring.* **/.minisign/*.key **/.step/secrets/** **/.acme.sh/account.conf
acme.json otr.private_key *.keytab krb5cc_* *.keylog sslkeylog*.log **/solana/id.json UTC--*
wallet.dat mnemonic.txt seed[_-]phrase.txt *.macaroon **/.electrum/wallets/** bitcoin.conf

# keystores and password managers
*.jks *.jceks *.bcfks *.bks *.keystore *.keychain *.keychain-db *.keyring *.kwl *.kdb *.kdbx
*.psafe3 *.pwsafe *.1pif *.1pux *.enpassdb **/*.opvault/** **/*.agilekeychain/** cwallet.sso
**/.password-store/** **/.op/** **/.config/op/** **/Bitwarden?CLI/data.json bitwarden*export*
lastpass*export* 1password*.csv keepass*.csv keepass*.xml *passwords.csv password.txt passwords.txt
passwd.txt passwords.xlsx passwords.ods .google_authenticator

# browsers
logins.json logins-backup.json signons.sqlite key3.db key4.db cookies.sqlite cookies.txt Login?Data
Login?Data?For?Account **/.mozilla/** **/.config/google-chrome/** **/.config/chromium/**
**/Chrome/User?Data/** **/BraveSoftware/** **/Firefox/Profiles/**

# the system's users
**/etc/shadow* **/etc/gshadow* shadow gshadow shadow[-+] gshadow[-+] opasswd master.passwd
passwd[-+] kcpassword ntds.dit .htpasswd* htpasswd *.htpasswd .htdigest pap-secrets chap-secrets
ipsec.secrets rsyncd.secrets **/davfs2/secrets .smbcredentials smbcredentials .smbcreds sasl_passwd
sssd.conf psk.txt *.psk *.nmconnection **/system-connections/** wpa_supplicant*.conf hostapd.conf
**/wireguard/** wg[0-9]*.conf *.ovpn **/openvpn/**/auth*.txt tailscaled.state unattend.xml
autounattend.xml anaconda-ks.cfg sysprep.inf

# histories of shells and prompts
.*_history .*_history-* .*-history .history .histfile .zhistory .Rhistory .*_hist .lesshst .viminfo
.dbshell ConsoleHost_history.txt fish_history bash_history zsh_history mysql_history psql_history
python_history node_repl_history **/.mongodb/** **/nushell/history.* **/atuin/*.db
**/.ipython/**/history.sqlite

# logins of command-line tools
.netrc _netrc .authinfo .curlrc .wgetrc .pgpass pgpass.conf .pg_service.conf userlist.txt .my.cnf
.mylogin.cnf debian.cnf **/.snowsql/config connections.toml **/.dbt/profiles.yml .databrickscfg
airflow.cfg grafana.ini .git-credentials .git-credential-cache **/.git-credential-cache/**
.gitcookies **/.git/**/config **/git/credentials **/.hg/hgrc .hgrc **/.subversion/auth/**
**/.subversion/servers **/gh/hosts.y*ml **/.config/hub **/glab-cli/config.yml **/tea/config.yml
.gist **/github-copilot/*.json **/.copilot/config.json .jira.d .sentryclirc .flyrc .vault-token
.vault[_-]pass* .vaultpass* vault[_-]pass vault[_-]pass.* vault[_-]password vault[_-]password.txt
vault[_-]password.sh vault[_-]password.py .ansible[_-]vault* ansible[_-]vault[_-]pass*
encrypted_data_bag_secret **/.chef/credentials .muttrc **/.mutt/** .msmtprc .fetchmailrc .getmailrc
.mbsyncrc .offlineimaprc .esmtprc ssmtp.conf **/.irssi/config **/weechat/sec.conf
**/.purple/accounts.xml .Xauthority .ICEauthority .erlang.cookie **/.vnc/passwd .doppler.yaml
**/.lastpass/** .envkey

# registries of packages
.npmrc .yarnrc .yarnrc.yml .pypirc pip.conf pip.ini **/uv/credentials/** **/uv/credentials.toml
**/pypoetry/auth.toml **/.conda/*token* **/.continuum/**/*.token **/.m2/settings*.xml
settings-security.xml gradle.properties local.properties keystore.properties signing.properties
key.properties **/.cargo/credentials **/.cargo/credentials.toml **/.gem/credentials
**/.bundle/config **/.sbt/**/credentials* **/.ivy2/.credentials* **/.lein/credentials.clj
**/.coursier/credentials.properties **/.hex/hex.config **/.cabal/config .pause auth.json
nuget.config **/pub-tokens.json **/.jfrog/jfrog-cli.conf* .dockercfg .dockerconfigjson
**/.docker/config.json **/helm/registry/config.json **/helm/repositories.yaml

# clouds
**/.aws/credentials **/.aws/config **/.aws/sso/** **/.aws/cli/** **/.aws/amazonq/**
aws[_-]credentials *accessKeys.csv rootkey.csv .s3cfg .s3curl .passwd-s3fs passwd-s3fs
**/.mc/config.json .boto boto.cfg rclone.conf .rclone.conf **/.config/gcloud/**
**/AppData/Roaming/gcloud/** **/legacy_credentials/** access_tokens.db adc.json client_secret*.json
*service[_-]account*.json serviceaccount.json *serviceaccount*key*.json *[._-]serviceaccount.json
*firebase-adminsdk*.json firebase-tools.json gcloud-service-key*.json gha-creds-*.json
**/.azure/*token* **/.azure/azureProfile.json accessTokens.json *.azureauth msal_*cache*
service_principal_entries.* *.publishsettings *.pubxml.user local.settings.json
connectionStrings.config **/.oci/config **/.oci/sessions/** **/doctl/config.yaml **/.fly/config.yml
**/netlify/config.json **/.cloudflared/** **/cloudflared/*.json **/.wrangler/config/**
**/wrangler/config/** **/.supabase/access-token **/stripe/config.toml ngrok.yml ngrok.yaml
**/.railway/config.json **/.render/cli.yaml **/hcloud/cli.toml **/scw/config.yaml
**/.aliyun/config.json **/.tccli/*.credential **/.bluemix/config.json **/linode-cli clouds.yaml
*openrc.sh **/huggingface/token **/.huggingface/token **/huggingface/stored_tokens kaggle.json
**/io.datasette.llm/keys.json **/configstore/*.json **/.travis/config.yml **/.circleci/cli.yml
.serverlessrc **/.expo/state.json

# machines and clusters
*.tfstate *.tfstate.* *.tfvars *.tfvars.json .terraformrc terraform.rc **/.terraform.d/credentials*
*.tfrc.json *.pkrvars.hcl **/.pulumi/credentials.json **/.kube/config* kubeconfig *[._-]kubeconfig
kubeconfig.y*ml kubeconfig.json *[._-]kubeconfig.y*ml kubeconfig[._-]*.y*ml kube_config*.y*ml
k3s.yaml rke2.yaml talosconfig **/.talos/config **/kubernetes/*.conf **/serviceaccount/token
**/argocd/config **/.vagrant/**/private_key **/containers/auth.json **/sops/age/keys.txt
**/gitlab-runner/config.toml gitlab-secrets.json initial_root_password initialAdminPassword
hudson.util.Secret buildkite-agent.cfg .credentials_rsaparams

# clients of models
.claude.json **/.claude/.credentials.json claude_desktop_config.json cline_mcp_settings.json
**/.codex/auth.json **/.gemini/oauth_creds.json **/.gemini/google_accounts.json oauth_creds.json
**/opencode/*auth.json **/.continue/config.* .aider.conf.yml state.vscdb

# applications
credentials.json *[._-]credentials.json credentials.y*ml credentials.toml credentials.ini
credentials.xml credentials.csv credentials.txt credentials.db credentials.properties
credentials-config.json .credentials *.credentials **/.*/credentials *.cred *.creds creds.json
creds.y*ml creds.txt secrets.json secrets.y*ml !**/templates/secrets.y*ml secrets.toml secrets.ini
secrets.properties secrets[.-]*.y*ml *[.-]secrets.y*ml !**/templates/*secrets.y*ml sa-key.json
gcp-key.json secrets.txt *.secret.exs *.secrets secret[_-]key
secret[_-]key.txt .secret[_-]key secret_token.rb *.token .token token.json token.txt token.pickle
access[_-]token access[_-]token.txt .access[_-]token api[_-]key api[_-]key.txt apikey.txt
.api[_-]key* .apikey local_settings.py settings_local.py settings.local.py database.yml
wp-config.php wp-config.*.php LocalSettings.php config.inc.php **/sites/*/settings*.php
!**/sites/*/settings.example.php **/config/parameters.y*ml **/app/etc/env.php **/app/etc/local.xml
tomcat-users.xml jetty-realm.properties mgmt-users.properties application-users.properties
proftpdpasswd dataSources.local.xml webServers.xml dbeaver-data-sources.xml robomongo.json
filezilla.xml recentservers.xml sitemanager.xml winscp.ini confCons.xml RDCMan.settings *.rdg
*.remmina sftp.json sftp-config.json .ftpconfig .remote-sync.json
"""


_AUTOMATON_BYTES = 64 << 20
_MOST_COPIES = 4
_KEEPSAKE = (
    r"(?:bak|bkp|backup|old|orig|original|saved?|copy|copie|kopie|prev|previous|sw[nop]|te?mp|new|rej"
    r"|disabled|gz|bz2|xz|zst|gpg"
    r"|(?:dpkg|ucf)-(?:old|dist|new|bak)|(?:rpm|pac)(?:save|new|orig)"
    r"|\d{1,14}|\d{4}-\d\d-\d\d(?:[T_-][\d.:-]{1,12}Z?)?)"
)
# What editors, packages and people put after, or before, the name of a file that they copy.
_COPY_SUFFIX = re.compile(
    rf"(?:~|(?<![.,_ -])(?<!%20)(?:[.,_ -]|%20)++{_KEEPSAKE}(?: ?\(?\d+\)?)?|\s?\(\d+\)|#)$",
    re.IGNORECASE,
)
_COPY_PREFIX = re.compile(
    r"^(?:#|\.#|\.~lock\.|(?:copy|kopie|backup) (?:of|von) |(?:old|bak|backup|copy)[_-])",
    re.IGNORECASE,
)


KEY_MARK = r"-{4,5} ?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
# A line of its own, or followed by key material, also where `\n` is spelt out as in JSON.
# A marker in a program's string literal with nothing after it is not a key.
PRIVATE_KEY = re.compile(
    rf"^[ \t]*{KEY_MARK}[ \t]*$"
    rf"|{KEY_MARK}(?:\s|\\[nr])*(?:[A-Za-z0-9+/=]{{20}}|[A-Za-z-]+: )",
    re.MULTILINE,
)


def credential_pattern(path: str) -> str | None:
    """Give the pattern by which an absolute path is a credential file, None if it is none."""
    for one in _originals(path.removeprefix("/")):
        line = _line_for(one)
        if line is not None and not line.startswith("!"):
            return line
    return None


def holds_private_key(text: str) -> bool:
    """Whether the text contains a private key."""
    return "PRIVATE KEY" in text and PRIVATE_KEY.search(text) is not None


@functools.cache
def _credential_files() -> tuple[tuple[str, ...], re2.Set]:
    """Compile the list into one automaton: in a large folder it is asked of every file."""
    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = True
    options.encoding = re2.Options.Encoding.LATIN1  # bytes: a name need not be valid UTF-8
    options.max_mem = _AUTOMATON_BYTES
    search = re2.Set.FullMatchSet(options)
    rows = (row for row in CREDENTIAL_NAMES.split("\n") if not row.startswith("#"))
    lines = ["", *(line for row in rows for line in row.split())]
    search.Add(".*")  # always found: finding nothing means that memory ran out
    for line in lines[1:]:
        pattern = line.removeprefix("!").removeprefix("/")
        anywhere = "" if "/" in line.removeprefix("!") else "**/"
        # The same language without the groups that only keep `re` fast.
        search.Add(wildcard_regex(anywhere + pattern).replace("(?>", "(?:").replace("(?!/)", ""))
    search.Compile()
    return tuple(lines), search


def _line_for(path: str) -> str | None:
    """Give the last line of the list that names this path, its `!` included."""
    lines, search = _credential_files()
    found = search.Match(path.casefold().encode(errors="surrogateescape"))
    if not found:
        return "*"
    return lines[max(found)] or None


def _originals(path: str) -> Iterator[str]:
    """Yield a path, and those of the files that it may be a copy of by its name."""
    yield path
    folder, slash, name = path.rpartition("/")
    for _ in range(_MOST_COPIES):
        shorter = _without_copy_mark(name)
        if shorter in {name, ""}:
            return
        name = shorter
        yield folder + slash + name
        yield folder + slash + name.removeprefix(".")  # vim: .NAME.swp


def _without_copy_mark(name: str) -> str:
    """Take one mark of a copy off a name: `x.bak`, `x~`, `x.1`, `x (1).json`, `#x#`."""
    for mark in (_COPY_PREFIX, _COPY_SUFFIX):
        if (shorter := mark.sub("", name)) != name:
            return shorter
    stem, dot, suffix = name.rpartition(".")
    return _COPY_SUFFIX.sub("", stem) + dot + suffix if stem else name
