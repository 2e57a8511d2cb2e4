"""Whatever is planted wherever: comply shows names and places, and no byte of a value."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spadework.claude_code.comply.inspected_sources import NamedSetting, of_text
from spadework.claude_code.comply.limits import breaches, named_harness
from spadework.claude_code.comply.scan import Inspection, inspect
from spadework.cli.check_output import print_finding, print_json
from spadework.errors import SpadeworkError

LETTERS = "GHJKQVXYZ0123456789"
"""No word of ours, and no path of a test, has five of these in a row."""
SECRETS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "sk-ant-oat01-", "sk-ant-api03-", "Bearer ", "http://", "https://x@"]),
    st.text(LETTERS, min_size=24, max_size=40),
)
NAMES = st.sampled_from(
    [
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "apiKeyHelper",
        "API_KEY",
        "command",
        "args",
        "x",
    ]
)
LINES = st.sampled_from(
    [
        "export {name}={secret}",
        "export {name}='{secret}'",
        'alias a="{name}={secret} claude"',
        "set -gx {name} {secret}",
        "setenv {name} {secret}",
        '$env:{name} = "{secret}"',
        "{name}: {secret}",
        '{name} = "{secret}',
        "# {secret}",
        "{secret}={name}",
        "ccr {secret}",
        "{secret}",
    ]
)
SHAPES = st.sampled_from(
    [
        '{{"env": {{"{name}": "{secret}"}}}}',
        '{{"mcpServers": {{"a": {{"command": "ccr", "args": ["{secret}", "{name}={secret}"]}}}}}}',
        '{{"mcpServers": {{"{secret}": {{"command": "{secret}", "env": {{"{secret}": "1"}}}}}}}}',
        '{{"{name}": ["{secret}"], "apiKeyHelper": "{secret} .credentials.json"}}',
        '{{"{name}": {secret}}}',
        "{secret}",
    ]
)


def shown(capsys, asked):
    """Everything that the command would print, in both forms; errors too."""
    try:
        found = inspect(asked)
    except SpadeworkError as error:
        return f"{error} {error.hint}"
    for finding in found:
        print_finding(finding)
    print_json(found)
    out, err = capsys.readouterr()
    return out + err + repr(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS, name=NAMES, line=LINES, shape=SHAPES)
def test_no_byte_of_a_planted_secret_is_shown(
    tmp_path_factory, monkeypatch, capsys, secret, name, line, shape
):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SPADEWORK_CONFIG", str(home / "config.toml"))
    text, document = (one.format(name=name, secret=secret) for one in (line, shape))
    for file in (".zshrc", "batch.env", "config.toml"):
        (home / file).write_text(f"first=1\n{text}\n")
    (home / ".claude").mkdir()
    for file in (
        ".claude.json",
        ".mcp.json",
        ".claude/settings.json",
        ".claude/settings.local.json",
    ):
        (home / file).write_text(document)
    asked = Inspection(
        project=home,
        environ={"HOME": str(home), name: secret},
        profiles=(home / ".zshrc",),
        env_files=(home / "batch.env",),
    )
    seen = shown(capsys, asked)
    bare = secret.rpartition("-")[2].rpartition("@")[2].rpartition(" ")[2].rpartition("/")[2]
    assert len(bare) >= 24
    for start in range(len(bare) - 4):
        assert bare[start : start + 5] not in seen


@given(text=st.text())
def test_any_text_is_read_and_its_values_are_not_in_what_is_said(text):
    for setting in of_text(text):
        assert 1 <= setting.line <= text.count("\n") + 1
        assert setting.value not in repr(setting) or not setting.value.strip()[8:]
        for breach in breaches(setting):
            assert len(setting.value) < 12 or setting.value not in breach.text + breach.cure


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('eval "$(ccr activate)"', "claude-code-router"),
        ("npx -y opencode-claude-auth@latest", "opencode"),
        ("npm i -g @musistudio/claude-code-router", "claude-code-router"),
        ("/usr/local/bin/claude-max-api --port 1", "claude-max-api-proxy"),
        ("alias x=ccproxy", "ccproxy-api"),
    ],
)
def test_a_harness_is_known_by_its_command_or_package(line, name):
    assert named_harness(line).name == name


@pytest.mark.parametrize("line", ["claude", "export ACCR=1", "spadework mcp", "pip install openai"])
def test_other_programs_are_no_harness(line):
    assert named_harness(line) is None


@pytest.mark.parametrize(
    "line",
    [
        'eval "export NAME=http://x"',
        "eval 'export NAME=http://x'",
        'eval "export NA""ME=http://x"',
        "eval export\\ NAME\\=http://x",
        'eval "$(echo export NAME=http://x)"',
        "declare -x NAME=http://x",
        "declare -gx 'NAME'=http://x",
        "declare -n other=NAME; other=http://x",
        "declare -A env=([NAME]=http://x)",
        "typeset -x NAME=http://x",
        "local NAME=http://x",
        "readonly NAME=http://x",
        "printf -v NAME %s http://x",
        "printf -v 'NAME' '%s' 'http://x'",
        "print -v NAME http://x",
        "read NAME <<< http://x",
        "read -r NAME < file",
        "echo http://x | read NAME",
        "read -r NAME <<EOF\nhttp://x\nEOF",
        "IFS= read -rp 'Where? ' NAME",
        "mapfile -t NAME < file",
        "vared -p '' NAME",
        "for NAME in http://x; do export NAME; done",
        ": ${NAME:=http://x}",
        "export ${NAME=http://x}",
        "NAME+=http://x",
        "NAME[0]=http://x",
        "export NAME=$'http://x'",
        "export \\\n  NAME=http://x",
        "export NAME=\\\nhttp://x",
        "printf -v \\\n  NAME http://x",
        "source <(echo 'export NAME=http://x')",
        "env NAME=http://x claude",
        "env -S 'NAME=http://x claude'",
        "set -a; NAME=http://x; set +a",
        "cat > .env <<EOF\nNAME=http://x\nEOF",
        "alias c='NAME=http://x claude'",
        "c() { NAME=http://x command claude; }",
        "set -gx NAME http://x",
        "setenv NAME http://x",
        "setx NAME http://x",
        "launchctl setenv NAME http://x",
        "$env:NAME = 'http://x'",
        "[Environment]::SetEnvironmentVariable('NAME', 'http://x')",
        "os.environ['NAME'] = 'http://x'",
        "unset NAME; printf -v NAME http://x",
    ],
)
@pytest.mark.parametrize("name", ["ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"])
def test_a_variable_is_found_however_a_shell_sets_it(line, name):
    half = len(name) // 2
    text = line.replace('NA""ME', f'{name[:half]}""{name[half:]}').replace("NAME", name)
    found = [(one.name, one.line) for one in of_text("x\n" + text) if list(breaches(one))]
    assert name in [found_name for found_name, _ in found]
    assert all(2 <= line_number <= 4 for _, line_number in found)


def test_anthropics_own_address_is_right_however_it_is_set():
    for line in (
        "printf -v ANTHROPIC_BASE_URL %s https://api.anthropic.com",
        "read ANTHROPIC_BASE_URL <<< 'https://api.anthropic.com'",
        ": ${ANTHROPIC_BASE_URL:=https://api.anthropic.com}",
    ):
        found = [breach for one in of_text(line) for breach in breaches(one)]
        assert found == [], line


def test_what_a_shell_only_looks_at_sets_nothing():
    for line in (
        'if [ -n "$ANTHROPIC_BASE_URL" ]; then echo set; fi',
        "[[ -v ANTHROPIC_BASE_URL ]] && unset ANTHROPIC_BASE_URL",
        "export -n ANTHROPIC_BASE_URL",
        "export ANTHROPIC_BASE_URL",
        "env -u ANTHROPIC_BASE_URL claude",
        "printenv ANTHROPIC_BASE_URL | cat",
        "declare -p ANTHROPIC_BASE_URL",
        "curl ${ANTHROPIC_BASE_URL%/}/v1",
        "claude  # never set ANTHROPIC_BASE_URL",
        'api_key_env = "ANTHROPIC_BASE_URL"',
        "MY_ANTHROPIC_BASE_URL=x; ANTHROPIC_BASE_URLS=y",
        'if [ "$ANTHROPIC_BASE_URL" = "x" ]; then',
        "echo ${ANTHROPIC_BASE_URL:-none}",
        "unset ANTHROPIC_BASE_URL",
        "# ANTHROPIC_BASE_URL=x",
        "set -e ANTHROPIC_BASE_URL",
    ):
        assert "ANTHROPIC_BASE_URL" not in [one.name for one in of_text(line)], line


def test_a_setting_of_the_clients_own_kind_is_no_breach():
    for name, value in (
        ("ANTHROPIC_API_KEY", "sk-ant-api03-aaaaaaaaaaaa"),
        ("ANTHROPIC_MODEL", "claude-sonnet"),
        ("ANTHROPIC_BASE_URL", "https:\\/\\/api.anthropic.com"),
        ("apiKeyHelper", "op read op://vault/key"),
    ):
        assert list(breaches(NamedSetting(name, value))) == []


def test_the_line_is_found_whichever_way_json_spells_the_value(tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_CONFIG", os.devnull)
    spelt = json.dumps("http://k\u00f6ln").replace("/", "\\/")
    (tmp_path / ".mcp.json").write_text('{\n\n"env": {"ANTHROPIC_BASE_URL": ' + spelt + "}\n}")
    asked = Inspection(project=tmp_path, environ={"HOME": str(tmp_path)})
    subjects = [one.where for one in inspect(asked) if "pointed elsewhere" in one.what]
    assert subjects == [f"{tmp_path / '.mcp.json'}:3"]
