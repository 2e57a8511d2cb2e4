"""Each other client's file: its place, its form, and that all else in it stays."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from spadework.claude_code.file_edits import Edit, changed, is_done, read
from spadework.claude_code.other_clients import CLIENTS, other_edit
from spadework.claude_code.server_entries import ServerEntry
from spadework.claude_code.undo_journal import UndoJournal
from spadework.errors import ArgumentError, ConfigError

HOME = Path("/home/me")
PROJECT = Path("/src/app")
STARTED = ServerEntry(command=("/opt/bin/spadework", "mcp"))
CALLED = ServerEntry(url="http://koala:8765/mcp")
COMMAND = {"command": "/opt/bin/spadework", "args": ["mcp"]}

PLACES = {
    ("claude-desktop", "linux"): ".config/Claude/claude_desktop_config.json",
    ("claude-desktop", "darwin"): "Library/Application Support/Claude/claude_desktop_config.json",
    ("claude-desktop", "win32"): "AppData/Roaming/Claude/claude_desktop_config.json",
    ("cursor", "linux"): ".cursor/mcp.json",
    ("cursor", "win32"): ".cursor/mcp.json",
    ("vscode", "linux"): ".config/Code/User/mcp.json",
    ("vscode", "darwin"): "Library/Application Support/Code/User/mcp.json",
    ("vscode", "win32"): "AppData/Roaming/Code/User/mcp.json",
    ("codex", "linux"): ".codex/config.toml",
    ("codex", "darwin"): ".codex/config.toml",
    ("zed", "linux"): ".config/zed/settings.json",
    ("zed", "darwin"): ".config/zed/settings.json",
    ("zed", "win32"): "AppData/Roaming/Zed/settings.json",
}


def edit_for(client, scope="user", server=STARTED, platform="linux", **environ):
    return other_edit(client, scope, server, PROJECT, {"HOME": str(HOME)} | environ, platform)


@pytest.mark.parametrize(("client", "platform"), PLACES)
def test_the_users_file_of_each_client_and_platform(client, platform):
    assert edit_for(client, platform=platform).file == HOME / PLACES[client, platform]


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("cursor", ".cursor/mcp.json"),
        ("vscode", ".vscode/mcp.json"),
        ("codex", ".codex/config.toml"),
        ("zed", ".zed/settings.json"),
    ],
)
def test_the_projects_file_of_those_that_have_one(client, name):
    assert edit_for(client, "project").file == PROJECT / name


@pytest.mark.parametrize(
    ("client", "scope"),
    [("claude-desktop", "project"), ("claude-desktop", "local"), ("zed", "local")],
)
def test_a_scope_that_a_client_does_not_have_is_refused(client, scope):
    with pytest.raises(ArgumentError, match=f"--scope {scope} does not exist for {client}"):
        edit_for(client, scope)


def test_a_client_that_is_not_known_is_refused_with_the_list():
    with pytest.raises(ArgumentError) as told:
        edit_for("emacs")
    assert all(client in told.value.hint for client in CLIENTS)


def test_folders_that_the_environment_moves_are_followed():
    assert edit_for("codex", CODEX_HOME="/x").file == Path("/x/config.toml")
    assert edit_for("zed", XDG_CONFIG_HOME="/x").file == Path("/x/zed/settings.json")


@pytest.mark.parametrize(
    ("client", "keys", "value"),
    [
        ("claude-desktop", ("mcpServers", "spadework"), COMMAND),
        ("cursor", ("mcpServers", "spadework"), COMMAND),
        ("vscode", ("servers", "spadework"), {"type": "stdio"} | COMMAND),
        ("codex", ("mcp_servers", "spadework"), COMMAND),
        ("zed", ("context_servers", "spadework"), COMMAND),
    ],
)
def test_the_form_of_an_entry(client, keys, value):
    edit = edit_for(client)
    assert (edit.keys, edit.value) == (keys, value)


@pytest.mark.parametrize(
    ("client", "value"),
    [
        (
            "cursor",
            {
                "url": CALLED.url,
                "headers": {"Authorization": "Bearer ${env:SPADEWORK_TOKEN}"},
            },
        ),
        (
            "vscode",
            {
                "type": "http",
                "url": CALLED.url,
                "headers": {"Authorization": "Bearer ${env:SPADEWORK_TOKEN}"},
            },
        ),
        ("codex", {"url": CALLED.url, "bearer_token_env_var": "SPADEWORK_TOKEN"}),
    ],
)
def test_over_http_the_token_stays_in_its_variable(client, value):
    assert edit_for(client, server=CALLED).value == value


@pytest.mark.parametrize("client", ["zed", "claude-desktop"])
def test_a_client_that_would_need_the_token_itself_is_refused(client):
    with pytest.raises(ArgumentError, match="takes a token only in its own file"):
        edit_for(client, server=CALLED)


FIXTURES = {
    "claude-desktop": '{\n  "mcpServers": {\n    "fs": {"command": "npx"}\n  },\n  "n": 1.50\n}\n',
    "cursor": '{\n\t// mine\n\t"mcpServers": {\n\t\t"fs": {"command": "npx"},\n\t},\n}\n',
    "vscode": '{\n  "inputs": [], // asked for\n  "servers": {\n    /* none */\n  }\n}\n',
    "codex": (
        '# mine\nmodel = "o9"   # the best\n\n[mcp_servers.fs]\ncommand = "npx"\n\n'
        "[profiles.x]\nn = 1_000\n"
    ),
    "zed": (
        '// Zed settings\n//\n// see the docs\n{\n  "theme": "One Dark",\n'
        '  "context_servers": {\n    "a": { "command": "x" }, // theirs\n  },\n}\n'
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("client", FIXTURES)
def test_a_file_with_comments_keeps_all_of_it_and_gets_its_bytes_back(client, newline, tmp_path):
    template = edit_for(client)
    text = FIXTURES[client].replace("\n", newline)
    file = tmp_path / template.file.name
    file.write_bytes(text.encode())
    edit = Edit(file, template.format, template.kind, template.keys, template.value)
    record = UndoJournal(tmp_path / "data")
    record.do(edit, client, "user", shared=False)
    after = file.read_bytes().decode()
    table, name = edit.keys
    assert read(after, edit)[table][name] == edit.value
    for line in text.splitlines(keepends=True):
        assert line in after
    assert ("\n" in after.replace("\r\n", "")) == (newline == "\n")
    record.do(edit, client, "user", shared=False)
    assert file.read_bytes().decode() == after
    assert len(record.steps()) == 1
    file.write_bytes((after + newline).encode())  # changed since: only ours goes
    record.undo(record.steps()[0])
    assert file.read_bytes().decode() == text + newline


@pytest.mark.parametrize("client", FIXTURES)
def test_where_there_is_no_file_a_valid_one_is_made(client):
    edit = edit_for(client)
    text = changed("", edit)
    parsed = tomllib.loads(text) if client == "codex" else json.loads(text)
    assert parsed == {edit.keys[0]: {"spadework": edit.value}}
    assert is_done(text, edit)


def test_toml_that_is_none_is_refused_with_its_line():
    with pytest.raises(ConfigError, match=":2:4: not valid TOML"):
        changed("a = 1\nb =\n", edit_for("codex"))


def test_toml_with_something_else_under_the_name_is_refused():
    with pytest.raises(ConfigError, match="'mcp_servers' is not a table"):
        changed("mcp_servers = 1\n", edit_for("codex"))


def test_this_platform_is_the_default():
    assert other_edit("cursor", "user", STARTED, PROJECT, {"HOME": str(HOME)}) == edit_for(
        "cursor", platform=sys.platform
    )
