from dataclasses import replace

import pytest

from spadework.backends.base import ModelInfo
from spadework.config.loader import load_config
from spadework.discovery.model_ranking import proposals
from spadework.discovery.search import FoundServer
from spadework.discovery.starter_file import key_variable, named, starter

KOALA = "http://koala.lan:4000"
LOCAL = ("llama3-local", "codellama-local", "embed-small")


@pytest.fixture
def load(tmp_path):
    def loaded(text):
        file = tmp_path / "config.toml"
        file.write_text(text, encoding="utf-8")
        return load_config(file).config

    return loaded


def models_of(servers):
    return {tool: [one.model for one in found] for tool, found in proposals(servers).items()}


def propose(*models, kind="ollama"):
    found = named([FoundServer(kind, "http://127.0.0.1:1", models)])
    return models_of(found)


@pytest.mark.parametrize(
    "model",
    [
        "codellama-local", "qwen2.5-coder:7b", "deepseek-coder-v2", "starcoder2:3b", "codestral",
        "CodeGemma", "granite-code:8b", "opencoder:8b", "devstral", "Qwen/Qwen3-Coder-30B",
    ],
)  # fmt: skip
def test_coding_models_are_known_by_name(model):
    assert propose(model) == {"ask_local_llama": [], "ask_coding_model": [f"ollama/{model}"]}


@pytest.mark.parametrize(
    "model",
    [
        "llama3-local",
        "gemma3:4b",
        "qwen2.5:7b",
        "mistral",
        "phi4",
        "encoder-decoder-t5",
        "gpt-oss:20b",
    ],
)
def test_other_models_answer_general_questions(model):
    assert propose(model) == {"ask_local_llama": [f"ollama/{model}"], "ask_coding_model": []}


@pytest.mark.parametrize(
    "model",
    [
        "nomic-embed-text", "all-minilm", "bge-m3", "mxbai-embed-large", "jina/jina-v2", "nomic",
        "text-embedding-3-small", "whisper-1", "bge-reranker-v2", "nomic-embed-code", "BGE-large",
    ],
)  # fmt: skip
def test_embedding_models_are_never_proposed(model):
    assert propose(model) == {"ask_local_llama": [], "ask_coding_model": []}


@pytest.mark.parametrize(
    "model", ["claude-sonnet-5", "gpt-4o", "gemini-3-pro", "gpt-oss:120b-cloud"]
)
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_models_that_look_like_a_cloud_are_not_proposed_but_named(model, kind):
    found = FoundServer(kind, KOALA, (model, "llama3-local"))
    assert models_of(named([found]))["ask_local_llama"] == ["koala/llama3-local"]
    text = starter(named([found]), [], {})
    assert f"# Not proposed below: {model}: unknown (named like a cloud model)." in text


def test_only_what_litellm_says_is_local_is_proposed():
    local, cloud = (
        ModelInfo("koala", "a", trust="local", trust_source="route openai/"),
        ModelInfo("koala", "b", trust="cloud", trust_source="route anthropic/x"),
    )
    models = ("a", "b", "c")
    [server] = named([FoundServer("litellm", KOALA, models)])
    server = replace(server, facts={"a": local, "b": cloud})
    assert models_of([server])["ask_local_llama"] == ["koala/a"]
    text = starter([server], [], {})
    assert "# Not proposed below: b: cloud (route anthropic/x)." in text
    assert "# Not proposed below: c: unknown (the proxy did not tell its route)." in text
    assert 'local_models = ["koala/NAME"]' in text


def test_nothing_of_a_public_host_is_proposed():
    found = named([FoundServer("openai", "http://llm.example.com", ("llama3",))])
    assert models_of(found) == {"ask_local_llama": [], "ask_coding_model": []}


def test_a_model_of_a_server_that_runs_it_itself_may_have_any_prefix():
    assert propose("openai/gpt-oss-20b", kind="openai")["ask_local_llama"] == [
        "openai/openai/gpt-oss-20b"
    ]


def test_servers_are_named_by_host_or_kind_and_each_once():
    found = [
        FoundServer("ollama", "http://127.0.0.1:11434"),
        FoundServer("litellm", KOALA),
        FoundServer("ollama", "http://koala.lan:11434"),
        FoundServer("ollama", "http://koala.lan:11435"),
        FoundServer("openai", "http://192.168.1.7:8000"),
        FoundServer("openai", "http://[fe80::1]:8000"),
        FoundServer("openai", "http://127.0.0.1:1234"),
        FoundServer("openai", "http://127.0.0.1:8000"),
    ]
    assert [server.name for server in named(found)] == [
        "ollama",
        "koala",
        "koala-ollama",
        "koala-ollama-2",
        "192-168-1-7",
        "fe80--1",
        "openai",
        "openai-openai",
    ]


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({}, "LITELLM_API_KEY"),
        ({"LITELLM_MASTER_KEY": "x"}, "LITELLM_MASTER_KEY"),
        ({"LITELLM_MASTER_KEY": "x", "LITELLM_API_KEY": "y"}, "LITELLM_API_KEY"),
    ],
)
def test_the_variable_of_litellm_is_the_one_that_is_set(environ, variable):
    [server] = named([FoundServer("litellm", KOALA, needs_key=True)])
    assert key_variable(server, environ) == variable
    text = starter([server], [], environ)
    assert f'api_key_env = "{variable}"' in text
    assert ("it is not set now" in text) == (not environ)


def test_the_variable_of_another_server_has_its_name(load):
    [server] = named([FoundServer("openai", "http://192.168.1.7:8000", needs_key=True)])
    assert key_variable(server, {}) == "SERVER_192_168_1_7_API_KEY"
    assert load(starter([server], [], {})).backends["192-168-1-7"].api_key_env


def test_what_was_found_becomes_a_config_that_loads(load):
    found = [
        FoundServer("litellm", KOALA, LOCAL, needs_key=True),
        FoundServer(
            "ollama", "http://127.0.0.1:11434", ('odd"name\\', "qwen2.5:7b", "phi4", "gemma3:4b")
        ),
        FoundServer("openai", "http://127.0.0.1:8000", ()),
    ]
    koala, *others = named(found)
    source = "route ollama_chat/"
    facts = {one: ModelInfo("koala", one, trust="local", trust_source=source) for one in LOCAL}
    koala = replace(koala, facts=facts)
    text = starter([koala, *others], [], {"LITELLM_API_KEY": "hunter2"})
    config = load(text)
    assert config.backends["koala"].api_key_env == "LITELLM_API_KEY"
    assert config.backends["ollama"].api_key_env is None
    assert config.tools["ask_local_llama"].models == [
        "koala/llama3-local",
        'ollama/odd"name\\',
        "ollama/qwen2.5:7b",
    ]
    assert '  # "ollama/phi4",  # a general model\n' in text  # there to be chosen
    assert '  # "ollama/gemma3:4b",  # a general model; 4 billion parameters\n' in text
    assert config.tools["ask_coding_model"].models == ["koala/codellama-local"]
    assert config.all_tools()["ask_coding_model"].parameters.keys() == {"question", "code?"}
    assert "hunter2" not in text


def test_every_key_that_is_written_is_explained(load):
    text = starter(named([FoundServer("litellm", KOALA, needs_key=True)]), [], {})
    lines = text.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith("api_key_env ="))
    assert lines[at - 1].startswith("# ")
    assert "trust =" not in text  # each model is judged by itself
    assert load(text).tools["ask_coding_model"].models == []


def test_with_nothing_found_the_config_works_on_the_embedded_model(load):
    text = starter([], ["http://127.0.0.1:4000", "http://koala:4000"], {})
    config = load(text)
    assert not config.backends
    assert "# Looked at: http://127.0.0.1:4000, http://koala:4000\n" in text
    # What it shows as an example is one.
    shown = text[text.index("# [backends.koala]") :].replace("\n# ", "\n").removeprefix("# ")
    assert load(shown).tools["ask_coding_model"].models == ["koala/codellama-local"]
