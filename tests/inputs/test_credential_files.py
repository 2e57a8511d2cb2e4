"""Credential files are read for nobody, by whatever name they are reached."""

import os

import pytest
from projects import build, left_out, paths, read, refused

from spadework.references.credential_files import credential_pattern

CREDENTIALS = [
    ".env",
    ".env.local",
    ".env.production",
    ".envrc",
    ".ENV",
    ".Env.Local",
    "prod.env",
    "PROD.ENV",
    "sub/.env",
    ".env/secrets.txt",
    ".envs/.production/.django",
    "server.pem",
    "tls.key",
    "TLS.KEY",
    "cert.p12",
    "cert.pfx",
    "store.jks",
    "app.keystore",
    "vault.kdbx",
    "putty.ppk",
    "auth.p8",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "ID_RSA",
    "id_work",
    "id_rsa_old",
    "id_rsa.bak",
    "id_x.pem",
    ".ssh/config",
    ".ssh/known_hosts",
    ".ssh/mine",
    ".SSH/mine",
    ".ssh/keys/a",
    ".gnupg/secring.gpg",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".git-credentials",
    ".git/config",
    ".git/modules/x/config",
    ".aws/credentials",
    ".aws/config",
    ".AWS/Credentials",
    ".aws/sso/cache/x.json",
    ".docker/config.json",
    ".kube/config",
    ".config/gcloud/access_tokens.db",
    ".config/gcloud/a/b",
    ".config/gh/hosts.yml",
    ".cargo/credentials.toml",
    "credentials.json",
    "my-credentials.json",
    ".claude/.credentials.json",
    "application_default_credentials.json",
    "client_secret_123.json",
    "service-account.json",
    "service_account_prod.json",
    ".claude.json",
]

HARMLESS = """
.env.example .env.sample .env.template .env.dist .env.local.example .ENV.EXAMPLE
environment.py dotenv.py env env.py .environments.md.txt2 keys.py pem.md key keyboard.py monkey
id_map.py id_lookup.sql id_rsa.pub id_ed25519.pub .ssh/id_rsa.pub .ssh/deploy.pub
src/id_tools/main.py src/my.key/readme.md netrc.md aws/credentials docker/config.json
.docker/nginx.conf .kube/deploy.yaml .aws/task-definition.json config/gcloud/x git/config
.git/HEAD .gitignore credentials.py credentialsxjson secrets.md .claude/settings.json
""".replace(".environments.md.txt2", "environments.md").split()


# What the tools of the trade write, one name for each.
WRITTEN_BY_TOOLS_TEXT = """
terraform.tfstate terraform.tfstate.backup env/prod.tfstate prod.tfvars terraform.tfvars
x.auto.tfvars x.tfvars.json .terraformrc .terraform.d/credentials.tfrc.json image.pkrvars.hcl
.pulumi/credentials.json .kube/config .kube/config-prod kubeconfig kubeconfig.yaml prod.kubeconfig
admin-kubeconfig.yml k3s.yaml etc/kubernetes/admin.conf talosconfig
.vagrant/machines/default/virtualbox/private_key .vagrant.d/insecure_private_key .m2/settings.xml
.m2/settings-security.xml gradle.properties .gradle/gradle.properties local.properties
keystore.properties composer/auth.json auth.json .config/composer/auth.json containers/auth.json
.config/containers/auth.json .docker/config.json .config/gh/hosts.yml
.config/github-copilot/hosts.json .config/github-copilot/apps.json .config/hub
.config/rclone/rclone.conf rclone.conf .config/sops/age/keys.txt age/keys.txt age-key.txt my.agekey
.vault_pass .vault_pass.txt .vault-pass vault_pass.py .vault_password .ansible_vault_password
.kaggle/kaggle.json kaggle.json pip.conf pip.ini .config/pip/pip.conf .pypirc .npmrc .yarnrc
.yarnrc.yml .netrc _netrc .authinfo gcp-service-account.json service_account.json
my-serviceaccount-key.json x-firebase-adminsdk-1a2b.json .config/gcloud/credentials.db
.azure/msal_token_cache.json .azure/azureProfile.json local.settings.json site.publishsettings
.aws/credentials accessKeys.csv bob_accessKeys.csv .oci/config .config/doctl/config.yaml
.fly/config.yml .vercel/auth.json .config/netlify/config.json .cloudflared/cert.pem
.wrangler/config/default.toml .dev.vars .supabase/access-token .config/stripe/config.toml ngrok.yml
.config/ngrok/ngrok.yml tailscaled.state etc/wireguard/wg0.conf wg0.conf office.ovpn
etc/ipsec.secrets .htpasswd site.htpasswd .bash_history .zsh_history .histfile
.local/share/fish/fish_history .psql_history .mysql_history .rediscli_history .python_history
.node_repl_history .sqlite_history .irb_history .irb-history .Rhistory .lesshst .viminfo
ConsoleHost_history.txt etc/shadow etc/gshadow shadow shadow- etc/security/opasswd master.passwd
deploy_rsa site_ed25519 ssh_host_ecdsa_key deploy_key private_key .gnupg/private-keys-v1.d/A.key
secring.gpg a.p12 a.pfx a.jks a.jceks a.keystore a.kdbx a.1pif a.psafe3 login.keychain-db
bitwarden_export_2026.json lastpass_export.csv passwords.txt cookies.sqlite logins.json key4.db
cookies.txt .mozilla/firefox/x.default/logins.json .config/google-chrome/Default/Cookies
jenkins/credentials.xml hudson.util.Secret config/master.key config/database.yml secrets.yml
.streamlit/secrets.toml secrets.json local_settings.py .Renviron wp-config.php LocalSettings.php
NuGet.Config .cargo/credentials.toml .gem/credentials .bundle/config
.subversion/auth/svn.simple/1a2b .hg/hgrc .hgrc .idea/dataSources.local.xml .idea/webServers.xml
.vscode/sftp.json filezilla.xml sitemanager.xml .claude/.credentials.json .codex/auth.json
.gemini/oauth_creds.json .local/share/opencode/auth.json claude_desktop_config.json
.config/io.datasette.llm/keys.json .huggingface/token .pgpass pgpass.conf .my.cnf .mylogin.cnf
.databrickscfg .snowsql/config .dbt/profiles.yml airflow.cfg .s3cfg .boto .passwd-s3fs
.mc/config.json .vault-token .flyrc .sentryclirc .git-credentials .gitcookies .git/config .muttrc
.msmtprc sasl_passwd .smbcredentials krb5.keytab krb5cc_1000 x.nmconnection wpa_supplicant.conf
.erlang.cookie .Xauthority .google_authenticator tomcat-users.xml confCons.xml office.rdg acme.json
wallet.dat UTC--2026-01-01--ab token.json token.pickle credentials.yml credentials.toml creds.json
.secrets api_key.txt clouds.yaml admin-openrc.sh gitlab-secrets.json
.jfrog/jfrog-cli.conf.v6 etc/NetworkManager/system-connections/Home
"""
WRITTEN_BY_TOOLS = WRITTEN_BY_TOOLS_TEXT.split()
COPIES = [
    "{}.bak", "{}.old", "{}~", "{}.orig", "{}.save", "{}.backup", "{}.1", "{}.20260101", "{}.bak.2",
    "{}.2026-01-01", "{}.2026-01-01T10:00:00", "{}-old", "{}_backup", "{} copy", "{} (1)", "{}.swp",
    ".{}.swp", "#{}#", ".#{}", "{}.tmp", "{}.rpmsave", "{}.dpkg-old", "Copy of {}", "old_{}",
    "{}.BAK",
]  # fmt: skip
NOT_CREDENTIALS_TEXT = """
main.tf variables.tf terraform.tfvars.example prod.tfvars.sample .terraform.lock.hcl kubeconfig.go
kubeconfig_test.py settings.xml gradle.properties.example gradlew build.gradle auth.py auth.ts
composer.json config.json containers.conf hosts.yml rclone.md vault.py vault_password.md history.md
HISTORY.rst release_history npmrc.md yarn.lock package.json tokenizer.json tokens.json token.py
tokens.ts secrets.py secret_manager.go chart/templates/secrets.yaml chart/templates/secret.yaml
.secrets.baseline .sops.yaml wp-config-sample.php database.py database.yml.example passwords.py
password.go test_passwords.txt.md shadow.css shadow.ts shadow.5.md box-shadow.less credentials.md
credentials.ts credential_names.py netrc.py keys.txt keys.json key.json public.pgp server.crt ca.cer
id_rsa.pub authorized_keys.md deploy_key.pub.md wg_test.go openvpn.md hgrc.5.txt nuget.md api_key.py
apikeys.ts access_token.rb logins.py cookies.py sub/.history/main.py.md service_account.py
serviceaccount-v1.json client_secret.py copy_of_x.py old_code.py v1.2.0 notes-1.md data.20260101.csv
main.py.bak main.py~ README.orig notes.txt.1
"""
NOT_CREDENTIALS = NOT_CREDENTIALS_TEXT.split()


@pytest.mark.parametrize("path", WRITTEN_BY_TOOLS)
def test_what_a_tool_writes_its_login_into_is_refused_and_its_copies_too(path):
    folder, slash, name = path.rpartition("/")
    for form in ("{}", *COPIES):
        for one in (form.format(name), form.format(name).upper()):
            assert credential_pattern(f"/home/u/project/{folder}{slash}{one}"), one


@pytest.mark.parametrize("path", NOT_CREDENTIALS)
def test_ordinary_sources_with_such_words_in_their_names_are_no_credentials(path):
    assert credential_pattern(f"/home/u/project/{path}") is None


@pytest.mark.parametrize(
    "name", [b"\xff.pem", b"\xff/.env", "ſecrets.yml".encode(), b"a\n.pem", b".env\n"]
)
def test_an_odd_name_does_not_hide_a_credential_file(name):
    assert credential_pattern("/p/" + os.fsdecode(name))


def test_copies_of_credential_files_are_refused_by_every_way_to_them(project):
    names = {"terraform.tfstate.backup", "kaggle.json~", "wp-config.php.old", ".vault_pass.1"}
    build(project, dict.fromkeys(names, "SECRET") | {"x.md": "x"})
    for name in names:
        assert refused(project, name).rule == "credential-file"
        (project / "link.md").unlink(missing_ok=True)
        (project / "link.md").symlink_to(name)
        assert refused(project, "link.md").rule == "credential-file"
    assert paths(project, ".") == ["x.md"]
    assert set(left_out(project, "*")) == names | {"link.md"}


@pytest.mark.parametrize("path", CREDENTIALS)
def test_a_credential_file_is_refused(project, path):
    build(project, {path: "SECRET", "notes.md": "x"})
    for reference in (path, f"{path}:1", str(project / path)):
        error = refused(project, "notes.md", reference)
        assert error.rule == "credential-file"
        assert error.path == path


@pytest.mark.parametrize("path", HARMLESS)
def test_what_only_looks_like_one_is_read(project, path):
    build(project, {path: "text"})
    assert read(project, path).sources[0].text == "text"


def test_folders_and_globs_leave_credential_files_out_by_name(project):
    build(project, {"a/.env": "SECRET", "a/x.md": "x", "a/tls.key": "SECRET", ".ssh/id": "SECRET"})
    expected = {"a/.env": "credential file, never read", "a/tls.key": "credential file, never read"}
    assert paths(project, "a") == ["a/x.md"]
    assert left_out(project, "a/*") == expected
    assert left_out(project, ".") == {".ssh/id": "credential file, never read"} | expected
    for reference in (".ssh", ".ssh/*", "**/*.key", "a/.e*"):
        error = refused(project, reference)
        assert error.rule == "no-text"
        assert "credential file" in str(error)


def test_a_link_does_not_make_a_credential_file_harmless(project):
    build(project, {".env": "SECRET", "keys/.ssh/mine": "SECRET", "x.md": "x"})
    (project / "notes.md").symlink_to(".env")
    (project / ".env.example").symlink_to(".env")
    (project / "mykeys").symlink_to("keys/.ssh")
    for reference in ("notes.md", ".env.example", "mykeys/mine", "notes.md:1"):
        assert refused(project, reference).rule == "credential-file"
    assert left_out(project, "*")["notes.md"] == "credential file, never read"
    assert refused(project, "mykeys/").rule == "no-text"


def test_a_link_that_is_named_like_a_credential_file_is_one(project):
    build(project, {"plain/mine": "SECRET", "plain.txt": "SECRET"})
    (project / ".env").symlink_to("plain.txt")
    (project / ".ssh").symlink_to("plain")
    for reference in (".env", ".ssh/mine"):
        assert refused(project, reference).rule == "credential-file"
    for reference in (".ssh", ".ssh/*", ".ssh/**"):
        assert refused(project, reference).rule == "no-text"
    assert left_out(project, ".") == {
        ".env": "credential file, never read",
        ".ssh": "symlink to a folder, not followed",
    }


def key(kind="", end="-----"):
    """A key's marker, put together here so that no scanner takes this file for one."""
    return f"-----BEGIN {kind}PRIVATE" + f" KEY{end}"


MATERIAL = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{key()}\n{MATERIAL}",
        f"{key('RSA ')}\n{MATERIAL}",
        f"{key('OPENSSH ')}\n{MATERIAL}",
        f"{key('ENCRYPTED ')}\r\n{MATERIAL}",
        f"{key('RSA ')}\nProc-Type: 4,ENCRYPTED\n",
        key("PGP ", " BLOCK-----") + "\nVersion: GnuPG v2\n",
        f"some: yaml\nkey: |\n    {key('EC ')}\n    {MATERIAL}",
        f'TLS_KEY="{key()}\n{MATERIAL}"',
        f'{{"private_key": "{key()}\\n{MATERIAL.strip()}"}}',
        f"\ufeff{key()}\n{MATERIAL}",
        "x\n" * 50_000 + key() + "\n" + MATERIAL,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_private_key_is_known_by_its_content(project, text, encoding):
    build(project, {"docs/notes.txt": text.encode(encoding), "docs/a.md": "a"})
    for reference in ("docs/notes.txt", "docs/notes.txt:1"):
        error = refused(project, reference)
        assert error.rule == "credential-file"
        assert "private key" in str(error)
    assert left_out(project, "docs") == {"docs/notes.txt": "credential file, never read"}


def test_a_program_that_speaks_of_keys_is_no_key(project):
    text = f'if text.startswith("{key()}"):\n    raise ValueError("no PRIVATE KEY, please")\n'
    build(project, {"check.py": text, "doc.md": f"A key begins with `{key()}`.\n"})
    assert paths(project, "check.py", "doc.md") == ["check.py", "doc.md"]


@pytest.mark.parametrize("offset", [-60, -40, -30, -20, -5, 0, 5])
def test_no_end_of_a_block_hides_a_key_in_a_large_file(project, offset):
    marker = f"\nK='{key()}\n{MATERIAL}"
    before = "x\n" * ((1 << 19) - 100)
    filler = "y" * ((1 << 20) - len(before) + offset)
    build(project, {"large.log": before + filler + marker + "z\n" * 1000})
    behind = before.count("\n") + 300
    refusal = refused(project, f"large.log:{behind}-{behind + 1}", max_file_bytes=1000)
    assert refusal.rule == "credential-file"


def test_an_environment_of_a_process_is_no_file_to_read(project):
    assert refused(project, "/proc/self/environ", extra=["/proc"]).rule == "credential-file"
    assert credential_pattern("/proc/1/task/1/environ")
