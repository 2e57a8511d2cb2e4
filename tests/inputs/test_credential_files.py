"""Credential files are read for nobody, by whatever name they are reached."""

import pytest
from projects import build, left_out, paths, read, refused

from journeyman.inputs.credentials import credential_pattern

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
