"""`spadework litellm check`: what is wrong with a config, or at a proxy."""

import json

import pytest

from spadework.litellm.inspection import inspect
from spadework.litellm.yaml_document import read


@pytest.fixture
def looked_over(tmp_path):
    """Look a config over: level and message of each finding that is not ok, by subject."""

    def look(text, mode=0o600):
        file = tmp_path / "config.yaml"
        file.write_text(text)
        file.chmod(mode)
        found = inspect(read(text, str(file)), file, {})
        return [
            (one.severity, one.where or one.code, one.what) for one in found if one.severity != "ok"
        ]

    return look


SAFE = "general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}\n"


def entry(params, info="{max_input_tokens: 4096}", name="a"):
    text = f"- model_name: {name}\n  litellm_params: {params}\n"
    return text + (f"  model_info: {info}\n" if info else "")


GOOD = [
    "{model: ollama_chat/a, api_base: http://koala:11434, num_ctx: 4096}",
    "{model: openai/a, api_base: http://koala:8080/v1, api_key: none}",
    "{model: azure/a, api_base: https://a.example, unknown_key: 5}",
    "{model: openai/*, api_base: http://koala:8080/v1}",
]


@pytest.mark.parametrize("params", GOOD)
def test_nothing_is_said_against_a_good_entry(looked_over, params):
    assert looked_over(f"model_list:\n{entry(params)}{SAFE}unknown: 1\n") == []


OLLAMA = "api_base: http://koala:11434"


@pytest.mark.parametrize(
    ("params", "info", "level", "says"),
    [
        (f"{{model: ollama/a, {OLLAMA}, num_ctx: 4096}}", None, "warning", "the ollama/ route"),
        (GOOD[1], "", "warning", "the window is missing"),
        (GOOD[1], "{mode: chat}", "warning", "the window is missing"),
        (
            f"{{model: ollama_chat/a, {OLLAMA}}}",
            None,
            "warning",
            "max_input_tokens is 4096, but num_ctx is not set",
        ),
        (
            f"{{model: ollama_chat/a, {OLLAMA}, num_ctx: 2048}}",
            None,
            "warning",
            "max_input_tokens is 4096, but num_ctx is 2048",
        ),
        (
            f"{{model: ollama_chat/a, {OLLAMA}/v1/, num_ctx: 4096}}",
            None,
            "error",
            "Ollama's own API is not under /v1",
        ),
        ("{api_base: http://koala}", None, "error", "it has no litellm_params.model"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(looked_over, params, info, level, says):
    info = "{max_input_tokens: 4096}" if info is None else info
    (found,) = looked_over(f"model_list:\n{entry(params, info)}{SAFE}")
    assert found[:2] == (level, "a")
    assert says in found[2]


def test_an_embedding_entry_needs_no_window_and_no_chat_route(looked_over):
    params = "{model: ollama/nomic-embed-text, api_base: http://koala:11434}"
    assert looked_over(f"model_list:\n{entry(params, '{mode: embedding}')}{SAFE}") == []


def test_an_entry_that_stands_there_twice_is_said(looked_over):
    twice = entry(GOOD[1]) + entry(GOOD[1].replace("/v1", "/v1/"))
    (found,) = looked_over(f"model_list:\n{twice}{SAFE}")
    assert found == (
        *("warning", "a", "line 5: the same model of the same server stands on line 2"),
    )


@pytest.mark.parametrize(
    ("key", "mode", "level", "says"),
    [
        ("", 0o600, "error", "it is empty"),
        ("sk-1234", 0o600, "error", "LiteLLM refuses to start"),
        ("sk-12345678", 0o600, "warning", "it is too short: 11 characters"),
        ("sk-0123456789abcdefghij", 0o600, "warning", "the key itself is in the file"),
        ("sk-0123456789abcdefghij", 0o644, "warning", "and others may read it"),
    ],
)
def test_a_weak_master_key_is_said_and_never_shown(looked_over, key, mode, level, says):
    text = f"model_list:\n{entry(GOOD[0])}general_settings:\n  master_key: {key}\n"
    (found,) = looked_over(text, mode)
    assert found[:2] == (level, "master-key")
    assert says in found[2]
    assert not key or key not in found[2]


def test_a_missing_master_key_and_an_empty_list_are_said(looked_over):
    assert [found[:2] for found in looked_over("")] == [
        *(("warning", "model-list"), ("warning", "master-key"))
    ]


def test_files_that_are_included_are_not_judged_and_that_is_said(looked_over):
    text = f"include: [a.yaml]\nmodel_list:\n{entry(GOOD[0])}{SAFE}"
    assert [found[:2] for found in looked_over(text)] == [("warning", "include")]


@pytest.mark.slow
def test_the_worst_is_the_exit_code_and_warnings_are_none(litellm, folder):
    file = folder / "config.yaml"
    file.write_text(f"model_list:\n{entry(GOOD[1], '')}{SAFE}")
    warned = litellm("check", file)
    assert warned.returncode == 0
    assert "warning\twindow\ta\tline 2: the window is missing" in warned.stdout
    assert "\t`spadework litellm config --merge` adds it" in warned.stdout
    assert warned.stderr == "0 errors, 1 warning\n"
    file.write_text("model_list: 5\n")
    broken = litellm("check", file, "--json")
    assert broken.returncode == 1
    told = json.loads(broken.stdout)
    assert told["worst"] == "error"
    assert told["findings"][0]["severity"] == "error"


@pytest.mark.slow
def test_a_proxy_that_is_not_there_or_is_none_is_broken_in_one_line(litellm, openai_double):
    dead = litellm("check", "http://127.0.0.1:9")
    assert dead.returncode == 1
    assert dead.stdout.startswith("error\talive\t\tnothing answers at http://127.0.0.1:9/health/")
    other = litellm("check", openai_double.url.removeprefix("http://"))
    assert other.returncode == 1
    assert "is not a LiteLLM proxy (HTTP 404)" in other.stdout
    assert not openai_double.chats
