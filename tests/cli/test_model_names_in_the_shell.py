"""`journeyman models` and the shell's completion, with models of several names."""

import os
import subprocess
import sys

import pytest

from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble

pytestmark = pytest.mark.slow

CONFIG = """
[backends.ls]
kind = "llama-swap"
url = "{swap}"

[backends.ol]
kind = "ollama"
url = "{ollama}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["ol/smollm2", "ls/gpt-*"]

[tools.ask_coding_model]
use_for = "boilerplate"
models = ["ls/*"]
"""


@pytest.fixture
def servers(project, tmp_path):
    del project
    with (
        LlamaSwapDouble("llama3-local", "codellama-local", form="2026-08") as swap,
        OllamaDouble("smollm2") as ollama,
    ):
        swap.aliases = {"gpt-4o-mini": "llama3-local"}
        told = {"type": "selector", "targets": ["llama3-local"]}
        swap.entries.append({"id": "warm", "meta": {"llamaswap": told}})
        (tmp_path / "config.toml").write_text(CONFIG.format(swap=swap.url, ollama=ollama.url))
        yield swap


@pytest.mark.usefixtures("servers")
def test_models_tell_other_names_and_which_tools_mean_them(journeyman):
    done = journeyman("models", "--in-process")
    assert done.returncode == 0, done.stderr
    rows = {row[0]: row for row in (line.split("\t") for line in done.stdout.splitlines())}
    assert rows["ol/smollm2:latest"][4] == "ask_local_llama"
    assert rows["ol/smollm2:latest"][5] == ""
    assert rows["ls/llama3-local"][4:6] == [
        "ask_local_llama, ask_coding_model",
        "also called gpt-4o-mini",
    ]
    assert rows["ls/warm"][4:6] == ["", "a selector of the server, not a model of its own"]


@pytest.mark.usefixtures("servers")
def test_the_shell_completes_what_a_running_daemon_lists(journeyman, project):
    assert journeyman("daemon", "start").returncode == 0
    words = "journeyman ask --model ls/"
    done = subprocess.run(
        [sys.executable, "-m", "journeyman"],
        cwd=project,
        env=os.environ
        | {"_JOURNEYMAN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    offered = done.stdout.split()
    assert "ls/gpt-4o-mini" in offered, done.stderr
    assert "ls/llama3-local" in offered
    assert "ls/warm" not in offered
