"""Which model is proposed for what, and why."""

import pytest

from spadework.backends.base import ModelInfo
from spadework.discovery.model_ranking import RankedServer, billions, proposals
from spadework.discovery.search import FoundServer


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("qwen2.5-coder:7b", 7.0),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 30.0),
        ("mixtral-8x7b-instruct", 56.0),
        ("phi3:3.8b-mini-128k", 3.8),
        ("smollm2:135m", 0.135),
        ("llama3.2-1B.Q4_K_M.gguf", 1.0),
        ("qwen2.5-7b-instruct-1m", 7.0),
        ("qwen2.5-1m", None),
        ("llama3-local", None),
        ("mistral-8bit", None),
        ("gpt4all", None),
        ("v2.5b1", None),
    ],
)
def test_a_size_is_read_off_a_name(model, size):
    assert billions(model) == size


def propose(windows, *models):
    facts = {
        model: ModelInfo("koala", model, window, trust="local") for model, window in windows.items()
    }
    server = RankedServer("koala", FoundServer("ollama", "http://koala:1", models), facts)
    return {
        tool: [(one.model.partition("/")[2], one.why) for one in found]
        for tool, found in proposals([server]).items()
    }


def test_large_models_come_first_and_narrow_windows_last():
    found = propose({"gemma3:27b": 2048, "phi4:14b": 16384}, "a:1b", "gemma3:27b", "x", "phi4:14b")
    assert found["ask_local_llama"] == [
        ("phi4:14b", "a general model; 14 billion parameters; a window of 16384 tokens"),
        ("x", "a general model"),
        ("a:1b", "a general model; 1 billion parameters, so it comes late"),
        (
            "gemma3:27b",
            "a general model; 27 billion parameters; a window of 2048 tokens, so it comes last",
        ),
    ]


def test_where_names_tell_nothing_the_servers_order_stays():
    found = propose({}, "zeta", "alpha", "coder-b", "coder-a")
    assert [model for model, _ in found["ask_local_llama"]] == ["zeta", "alpha"]
    assert [model for model, _ in found["ask_coding_model"]] == ["coder-b", "coder-a"]
