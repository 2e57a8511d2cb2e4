"""`spadework token`, and the file that it keeps."""

import json
import os
import stat
import subprocess
import sys
import threading
from hashlib import sha256

import pytest

from spadework.errors import ArgumentError, ConfigError
from spadework.mcp.http.access_tokens import TokenStore


@pytest.fixture
def token_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "tokens.json"


@pytest.fixture
def command(token_file):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "spadework", "token", *arguments],
            env=dict(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.slow
def test_a_token_is_printed_once_and_only_its_hash_is_kept(command, token_file):
    made = command("new", "laptop")
    secret = made.stdout.strip()
    assert secret.startswith("sw_")
    assert len(secret) == len("sw_") + 43  # 32 bytes
    assert made.stderr == "kept as laptop; it is not shown again\n"
    [kept] = json.loads(token_file.read_text())["tokens"]
    assert kept["sha256"] == sha256(secret.encode()).hexdigest()
    assert secret not in token_file.read_text()
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    listed = command("list").stdout
    assert listed == f"laptop\t{kept['created']}\n"


@pytest.mark.slow
def test_a_revoked_token_is_gone(command):
    made = json.loads(command("new", "laptop", "--json").stdout)
    assert set(made) == {"name", "created", "token"}
    assert command("revoke", "laptop").stdout == "revoked laptop\n"
    assert json.loads(command("list", "--json").stdout) == []
    assert TokenStore().find(made["token"]) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "my laptop"], "error: 'my laptop' is not a valid token name\n"),
        (["new", "../laptop"], "error: '../laptop' is not a valid token name\n"),
        (["revoke", "desk"], "error: no such token: 'desk'\nhint: the tokens: there is none\n"),
    ],
)
def test_a_mistake_is_one_line(command, arguments, said):
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_full_disk_is_no_reason_to_remove_the_tokens(command, token_file):
    """That was the advice, and it would have locked out everybody."""
    command("new", "laptop")
    full = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "spadework"]
    done = subprocess.run(
        [*full, "token", "new", "desk"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {token_file} cannot be written: ")
    assert "hint: free disk space" in done.stderr
    assert "remove" not in done.stderr
    assert [one.name for one in TokenStore().all()] == ["laptop"]


def test_a_name_is_taken_once_and_found_where_none_is_given(token_file):
    names = [TokenStore().new(name)[0].name for name in ("", "token-3", "", "")]
    assert names == ["token-1", "token-3", "token-2", "token-4"]
    with pytest.raises(ArgumentError, match="there is a token 'token-2' already"):
        TokenStore().new("token-2")


def test_a_token_is_known_by_its_owners_name_and_by_no_part_of_it(token_file):
    tokens = TokenStore()
    secrets = {name: tokens.new(name)[1] for name in ("laptop", "desk")}
    for name, secret in secrets.items():
        assert tokens.find(secret).name == name
        assert tokens.find(secret[:-1]) is None
        assert tokens.find(secret + "x") is None
    assert tokens.find("") is None
    assert tokens.find("ä\udcff") is None


def test_what_another_process_changes_counts_at_once(token_file):
    server, shell = TokenStore(), TokenStore()
    _, secret = shell.new("laptop")
    assert server.find(secret).name == "laptop"
    shell.revoke("laptop")
    assert server.find(secret) is None
    token_file.unlink()
    assert server.all() == ()


def test_tokens_that_are_made_at_once_are_all_kept(token_file):
    makers = [
        threading.Thread(target=TokenStore().new, args=(f"window-{number}",))
        for number in range(16)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert {one.name for one in TokenStore().all()} == {f"window-{number}" for number in range(16)}
    assert [path.name for path in token_file.parent.glob(".tokens-*")] == []


def test_a_file_that_lies_open_to_others_is_closed_at_the_next_change(token_file):
    TokenStore().new("laptop")
    token_file.chmod(0o644)
    TokenStore().new("desk")
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tokens": [{}]}', '{"tokens": [{"name": 1}]}'])
def test_a_broken_file_is_named(token_file, text):
    token_file.parent.mkdir()
    token_file.write_text(text)
    with pytest.raises(ConfigError, match=r"tokens\.json: it does not hold tokens"):
        TokenStore().all()
