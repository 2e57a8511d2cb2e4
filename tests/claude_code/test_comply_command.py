"""`spadework comply` through the real command."""

import json
import os

import pytest
from client_homes import ClientHome

pytestmark = pytest.mark.slow

SECRET = "sk-ant-oat01-hunter2hunter2hunter2"
KEY = "sk-ant-api03-hunter2hunter2hunter2"
GATEWAY = "http://hunter2.example:4000/hunter2"
# Every file that a process opens is written down; children that are Python do the same.
WATCHER = """
import sys, os
_log = os.open(os.environ["OPENED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def _note(event, arguments):
    if event == "open":
        os.write(_log, f"{arguments[0]}\\n".encode(errors="replace"))
sys.addaudithook(_note)
"""


@pytest.fixture
def house(tmp_path, runtime_folder):
    house = ClientHome(tmp_path, runtime_folder)
    house.config.write_text("")
    return house


@pytest.fixture
def comply(house):
    """Run it; no byte of a secret may come out, neither as text nor as JSON."""

    def comply(*arguments, **more):
        runs = [house.run("comply", *arguments, *form, **more) for form in ([], ["--json"])]
        for _, out, err in runs:
            assert "hunter2" not in out + err
        assert runs[0][0] == runs[1][0]
        if not runs[1][1]:
            return runs[0][0], runs[0][2]
        return runs[1][0], [
            (one["where"], one["what"])
            for one in json.loads(runs[1][1])["findings"]
            if one["severity"] != "ok"
        ]

    return comply


def test_a_clean_house_exits_with_0_and_says_what_was_looked_at(house, comply):
    house.register(spadework={"command": "spadework", "args": ["mcp"]})
    house.write(
        ".claude/settings.json", {"env": {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}}
    )
    house.config.write_text('[backends.koala]\nkind = "ollama"\nurl = "http://koala:11434"\n')
    assert comply() == (0, [])
    _, out, _ = house.run("comply")
    looked_at = [line.split("\t")[2] for line in out.splitlines()]
    assert looked_at == [
        "environment",
        *(
            f"{house.home}/{name}"
            for name in (
                ".claude/settings.json",
                "project/.claude/settings.json",
                "project/.claude/settings.local.json",
                ".claude.json",
                "project/.mcp.json",
                "config.toml",
            )
        ),
        "harnesses",
    ]


def test_the_environment_is_checked(comply):
    code, found = comply(
        ANTHROPIC_BASE_URL=GATEWAY,
        ANTHROPIC_AUTH_TOKEN="hunter2",
        CLAUDE_CODE_OAUTH_TOKEN=SECRET,
        ANTHROPIC_API_KEY=KEY,
    )
    assert code == 1
    assert {place for place, _ in found} == {"environment"}
    assert sorted(text.split()[0] for _, text in found) == [
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "the",
    ]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://api.anthropic.com", 0),
        ("https://eu.api.anthropic.com/v1", 0),
        ("http://api.anthropic.com", 1),
        ("https://anthropic.com.hunter2.example", 1),
        ("https://api.anthropic.com@hunter2.example", 1),
        ("https://[hunter2", 1),
        ("$HUNTER_ADDRESS", 1),
        ("", 0),
    ],
)
def test_only_anthropics_own_addresses_over_tls_are_right(comply, address, code):
    assert comply(ANTHROPIC_BASE_URL=address)[0] == code


def test_profiles_and_pipelines_files_are_read_only_if_named_and_told_by_their_line(house, comply):
    profile = house.write(
        ".zshrc",
        "# export ANTHROPIC_BASE_URL=http://old\n"
        "unset ANTHROPIC_BASE_URL\n"
        f"export ANTHROPIC_BASE_URL={GATEWAY}\n"
        f"alias cl='ANTHROPIC_AUTH_TOKEN=hunter2 claude'\n"
        'eval "$(ccr activate)"\n'
        f"# {SECRET}\n",
    )
    fish = house.write(
        "config.fish", f"set -gx ANTHROPIC_BASE_URL {GATEWAY}\nset -e ANTHROPIC_AUTH_TOKEN\n"
    )
    pipeline = house.write("batch.env", f"CLAUDE_CODE_OAUTH_TOKEN={SECRET}\n")
    pipeline.chmod(0o600)
    assert comply() == (0, [])
    code, found = comply(
        "--profile", str(profile), "--profile", str(fish), "--env-file", str(pipeline)
    )
    assert code == 1
    places = {place for place, _ in found}
    assert places == {
        *(f"{profile}:{line}" for line in (3, 4, 5, 6)),
        f"{fish}:1",
        f"{pipeline}:1",
    }
    assert (
        f"{profile}:5",
        "claude-code-router is started here: it sends Claude Code to other models",
    ) in found


def test_settings_and_server_entries_of_all_scopes_are_read(house, comply):
    environment = {"env": {"ANTHROPIC_BASE_URL": GATEWAY}}
    house.write(".claude/settings.json", environment)
    house.write("project/.claude/settings.json", environment)
    house.write(
        "project/.claude/settings.local.json", {"apiKeyHelper": "cat ~/.claude/.credentials.json"}
    )
    file = house.write(
        ".claude.json",
        {
            "history": [f"ANTHROPIC_BASE_URL={GATEWAY}", SECRET],
            "mcpServers": {
                "a": {"command": "docker", "args": ["run", "-e", f"ANTHROPIC_BASE_URL={GATEWAY}"]}
            },
            "projects": {
                str(house.project): {
                    "history": [SECRET],
                    "mcpServers": {"b": {"command": "x", "env": {"TOKEN": SECRET}}},
                }
            },
        },
    )
    file.chmod(0o600)  # as the client has it
    house.write(
        "project/.mcp.json",
        {"mcpServers": {"c": {"command": "npx", "args": ["-y", "claude-max-api-proxy@latest"]}}},
    )
    code, found = comply()
    assert code == 1
    assert [
        (place.removeprefix(f"{house.home}/"), text.split(":")[0]) for place, text in found
    ] == [
        (".claude/settings.json:3", "ANTHROPIC_BASE_URL is pointed elsewhere than at Anthropic"),
        (
            "project/.claude/settings.json:3",
            "ANTHROPIC_BASE_URL is pointed elsewhere than at Anthropic",
        ),
        (
            "project/.claude/settings.local.json:2",
            "the file of Claude Code's login is named here, for another program to read",
        ),
        (".claude.json:12", "ANTHROPIC_BASE_URL is pointed elsewhere than at Anthropic"),
        (".claude.json:25", "the token of a Claude subscription stands here"),
        ("project/.mcp.json:7", "claude-max-api-proxy is started here"),
    ]


def test_keys_in_files_that_others_can_read_are_found_and_references_are_none(house, comply):
    entry = {"command": "x", "env": {"SOME_KEY": "${SOME_KEY}", "OTHER": "$OTHER"}}
    house.write("project/.mcp.json", {"mcpServers": {"a": entry}})
    assert comply() == (0, [])
    entry["headers"] = {"Authorization": f"Bearer {KEY}"}
    file = house.write("project/.mcp.json", {"mcpServers": {"a": entry}})
    file.chmod(0o644)
    assert comply() == (1, [(f"{file}:10", "a key is in a file that others can read")])
    file.chmod(0o600)
    assert comply() == (0, [])


def test_spadeworks_config_may_not_hold_or_name_a_subscriptions_login(house, comply):
    house.config.write_text(
        f'[backends.koala]\nkind = "litellm"\nurl = "http://koala:4000"\n# {SECRET}\n'
        f'api_key_file = "{house.home}/.claude/.credentials.json"\n'
    )
    house.config.chmod(0o600)
    code, found = comply()
    assert code == 1
    texts = [text for _, text in found]
    assert texts[0] == "the token of a Claude subscription stands here"
    assert "api_key_file names the client's login, which is for Claude Code alone" in texts
    assert found[0][0] == f"{house.config}:4"


def test_files_of_harnesses_are_found_by_their_names_alone(house, comply):
    for name in (
        ".cli-proxy-api/claude-hunter.json",
        ".claude-code-router/config.json",
        ".local/share/opencode/auth.json",
        ".openclaw/agents/main/agent/auth-profiles.json",
    ):
        # A pipe that nobody writes to: opening it would be noticed.
        file = house.home / name
        file.parent.mkdir(parents=True)
        os.mkfifo(file)
    code, found = comply()
    assert code == 1
    assert [text.partition(" ")[0] for _, text in found] == [
        "claude-code-router",
        "CLIProxyAPI",
        "opencode",
        "OpenClaw",
    ]


@pytest.mark.parametrize("command", ["comply", "doctor"])
def test_the_clients_credentials_are_never_opened(house, command):
    credentials = house.write(".claude/.credentials.json", {"claudeAiOauth": SECRET})
    watcher = house.write("watch/sitecustomize.py", WATCHER)
    opened = house.home / "opened.txt"
    more = {"PYTHONPATH": str(watcher.parent), "OPENED": str(opened)}
    house.register(spadework={"command": "/bin/false"})
    house.run(command, **more)
    files = opened.read_text()
    assert str(house.home / ".claude" / "settings.json") in files
    assert credentials.name not in files
    code, out, err = house.run("comply", "--profile", str(credentials), **more)
    assert (code, out) == (2, "")
    assert "holds the client's login; it is never read" in err
    linked = house.home / "profile"
    linked.symlink_to(credentials)
    assert house.run("comply", "--profile", str(linked), **more)[0] == 2
    assert credentials.name not in opened.read_text()


def test_what_cannot_be_read_is_no_clean_house(house, comply):
    house.write(".claude/settings.json", "{ // hunter2\n}")
    os.mkfifo(house.home / ".claude.json")
    code, found = comply()
    assert code == 1
    assert [text for _, text in found] == [
        "is not valid JSON: line 1, column 3",
        "is not a regular file; it is not read",
    ]
    (house.home / ".claude.json").unlink()
    (house.home / ".claude" / "settings.json").unlink()
    code, found = comply("--profile", str(house.home))
    assert (code, found) == (1, [(str(house.home), "is not a regular file; it is not read")])
    code, said = comply("--profile", str(house.home / "nowhere"))
    assert code == 2
    assert said.startswith("error: no such file: ")


def test_a_config_that_is_not_there_is_no_breach_and_a_file_named_twice_is_read_once(house, comply):
    house.config.unlink()
    assert comply() == (0, [])
    profile = house.write("profile", "export ANTHROPIC_AUTH_TOKEN=hunter2\n")
    _, found = comply("--profile", str(profile), "--env-file", str(profile))
    assert [place for place, _ in found] == [f"{profile}:1"]
