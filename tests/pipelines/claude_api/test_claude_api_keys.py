"""Only your own API key is taken, and it goes to Anthropic alone."""

import pytest

from spadework.config.pipeline_config import ClaudeApiConfig
from spadework.errors import ConfigError
from spadework.pipelines.claude_api.access import ADDRESS, STAND_IN_KEY, access, has_key
from spadework.pipelines.claude_api.request import ClaudeRequest

KEY = "sk-ant-api03-" + "a" * 20
TOKEN = "sk-ant-oat01-" + "a" * 20


def test_the_key_of_the_environment_goes_to_anthropic():
    found = access(ClaudeApiConfig(), {"ANTHROPIC_API_KEY": f" {KEY}\n"})
    assert (found.address, found.key) == (ADDRESS, KEY)
    assert KEY not in repr(found)


def test_the_file_s_first_line_is_the_key_where_the_variable_is_empty(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\nmore\n")
    config = ClaudeApiConfig(api_key_file=str(file))
    assert access(config, {"ANTHROPIC_API_KEY": ""}).key == KEY
    assert has_key(config, {})


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "there is no key"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}, "there is no key"),
        ({"ANTHROPIC_AUTH_TOKEN": KEY}, "there is no key"),
        (
            {"ANTHROPIC_API_KEY": TOKEN},
            "the token of a Claude subscription",
        ),
        ({"ANTHROPIC_API_KEY": "a key\nof two lines"}, "holds no key"),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "https://x.example"}, "elsewhere"),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "elsewhere"),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://api.anthropic.com"}, "elsewhere"),
        (
            {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_CUSTOM_HEADERS": "A: b\nx-api-key: c"},
            "header x-api-key",
        ),
    ],
)
def test_anything_else_is_refused_with_the_reason_and_without_its_value(environment, said):
    with pytest.raises(ConfigError, match=said) as caught:
        access(ClaudeApiConfig(), environment)
    assert caught.value.hint
    assert "aaaa" not in str(caught.value)


def test_anthropic_s_own_address_may_stand_in_the_environment():
    environment = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": f"{ADDRESS}/"}
    assert access(ClaudeApiConfig(), environment).address == ADDRESS


@pytest.mark.parametrize("content", [b"", b"\n", f"{TOKEN}\n".encode(), b"\xff\xfe", None])
def test_a_key_file_without_a_key_is_refused(tmp_path, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="api_key_file") as caught:
        access(ClaudeApiConfig(api_key_file=str(file)), {})
    assert "aaaa" not in str(caught.value)


def test_the_client_s_login_is_no_key_file(tmp_path):
    file = tmp_path / ".credentials.json"
    file.write_text("{}")
    with pytest.raises(ConfigError, match="for Claude Code"):
        access(ClaudeApiConfig(api_key_file=str(file)), {})


def test_whether_there_is_a_key_is_told_without_an_error():
    assert not has_key(ClaudeApiConfig(), {})
    assert has_key(ClaudeApiConfig(test_url="http://127.0.0.1:1"), {})


def test_a_subscription_s_token_is_not_passed_over_as_if_there_were_no_key():
    with pytest.raises(ConfigError, match="subscription"):
        has_key(ClaudeApiConfig(), {"ANTHROPIC_API_KEY": TOKEN})


async def test_a_stand_in_never_sees_a_real_credential(make_gate, api, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "secret-token")
    await make_gate().ask("r", "c", "s", ClaudeRequest("claude-sonnet-5-5", "Hi"))
    headers = str(api.requests[0].headers)
    assert STAND_IN_KEY in headers
    assert KEY not in headers
    assert "secret-token" not in headers
