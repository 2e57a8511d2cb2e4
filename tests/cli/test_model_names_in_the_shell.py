"""`spadework models` and the shell's completion, with models of several names."""

import json
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
def test_models_tell_other_names_and_which_tools_mean_them(spadework):
    done = spadework("models", "--in-process")
    assert done.returncode == 0, done.stderr
    rows = {row[0]: row for row in (line.split("\t") for line in done.stdout.splitlines())}
    assert rows["ol/smollm2:latest"][4] == "ask_local_llama"
    assert rows["ol/smollm2:latest"][5] == ""
    assert rows["ls/llama3-local"][4:6] == [
        "ask_local_llama, ask_coding_model",
        "also called gpt-4o-mini",
    ]
    assert rows["ls/warm"][4:6] == ["", "a selector of the server, not a model of its own"]


def test_models_tell_how_a_model_failed_until_it_answers_again(spadework, servers):
    servers.names.append("broken")
    servers.entries.append({"id": "broken", "meta": {"llamaswap": {"type": "model"}}})

    def remarks():
        lines = spadework("models", "--in-process").stdout.splitlines()
        (row,) = [line.split("\t") for line in lines if line.startswith("ls/broken\t")]
        return row[5]

    assert remarks() == ""
    assert spadework("ask", "Hi", "--model", "ls/broken", "--in-process").returncode != 0
    assert remarks().startswith("failed last: the server failed (500); the server wrote: ")
    servers.mended = True
    servers.plays(prompt_tokens=90)
    assert spadework("ask", "Hi", "--model", "ls/broken", "--in-process").returncode == 0
    servers.ready = ""
    assert remarks() == ""


@pytest.mark.usefixtures("servers")
def test_doctor_finds_a_model_by_whichever_name_a_tool_uses(spadework, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(file.read_text().replace('"ls/gpt-*"', '"ls/gpt-4o-mini", "ls/warm"'))
    findings = json.loads(spadework("doctor", "--json").stdout)["findings"]
    (tool,) = [
        one for one in findings if (one["code"], one["where"]) == ("tool", "ask_local_llama")
    ]
    assert tool["what"].startswith("ol/smollm2 and 2 more; window 8192")
    assert "not there" not in tool["what"]


@pytest.mark.usefixtures("servers")
def test_the_shell_completes_what_a_running_daemon_lists(spadework, project):
    assert spadework("daemon", "start").returncode == 0
    words = "spadework ask --model ls/"
    done = subprocess.run(
        [sys.executable, "-m", "spadework"],
        cwd=project,
        env=os.environ
        | {"_SPADEWORK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    offered = done.stdout.split()
    assert "ls/gpt-4o-mini" in offered, done.stderr
    assert "ls/llama3-local" in offered
    assert "ls/warm" not in offered
