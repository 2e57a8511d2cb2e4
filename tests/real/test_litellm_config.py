"""The config that `spadework litellm config` makes, in a real proxy, and what `check` says of it.

One proxy serves every test of this file: before it Spadework delegates, behind it stand a real
llama.cpp server and a double of Ollama, and our MCP server behind its gateway.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from doubles.ollama import OllamaDouble
from real.litellm_proxy import litellm_running
from real.llama_server import WINDOW

# The first test installs the proxy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KEY = "sk-of-the-generated-config-0123456789"
PROXY = """
[backends.proxy]
kind = "litellm"
url = "{url}"
api_key_env = "LITELLM_MASTER_KEY"
"""
NUM_CTX = 8192


@dataclass(frozen=True)
class House:
    """A running proxy with a generated config, and how to run our command beside it."""

    url: str
    llama_model: str
    ollama: OllamaDouble
    folder: Path
    config: Path

    def run(self, *arguments, **variables):
        return run(self.folder, *arguments, **variables)


def run(folder, *arguments, **variables):
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SPADEWORK_DATA": str(folder / "data"),
        "LITELLM_MASTER_KEY": KEY,
    }
    return subprocess.run(
        [sys.executable, "-m", "spadework", *arguments],
        env=environ | variables,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def serving(folder):
    """Our MCP server over HTTP, by its own command."""
    command = [sys.executable, "-m", "spadework", "serve", "--http", "127.0.0.1:0"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with subprocess.Popen(
        [*command, "--in-process"],
        env=environ | {"SPADEWORK_DATA": str(folder / "data")},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            line = process.stdout.readline()
            yield re.search(r"http://\S+/mcp", line)[0]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def house(llama_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    with urllib.request.urlopen(f"{llama_server}/v1/models", timeout=10) as reply:
        llama_model = json.load(reply)["data"][0]["id"]
    with (
        OllamaDouble("smollm2:latest", "nomic-embed-text") as ollama,
        serving(folder) as mcp_url,
    ):
        ollama.plays(reply="Three lines.", prompt_tokens=40, completion_tokens=4)
        config = folder / "config.yaml"
        hosts = ["--host", llama_server, "--host", ollama.url]
        made = run(folder, "litellm", "config", *hosts, "--mcp-url", mcp_url, "--out", str(config))
        assert made.returncode == 0, made.stderr
        # LiteLLM wants a token to be there; on loopback our server asks for none.
        variables = {"LITELLM_MASTER_KEY": KEY, "SPADEWORK_TOKEN": "any"}
        with litellm_running(config.read_text(), folder, variables) as url:
            (folder / "config.toml").write_text(PROXY.format(url=url))
            yield House(url, llama_model, ollama, folder, config)


def test_the_windows_come_back_exact_and_nothing_is_said_against_an_entry(house):
    done = house.run("--config", "config.toml", "models", "--json", "--in-process")
    models = {model["name"]: model for model in json.loads(done.stdout)["models"]}
    windows = {name: models[name]["window"] for name in (house.llama_model, "smollm2")}
    assert windows == {house.llama_model: WINDOW, "smollm2": NUM_CTX}
    assert {models[name]["note"] for name in windows} == {""}
    assert models["smollm2"]["window_source"] == "max_input_tokens in LiteLLM's /v1/model/info"


def test_a_delegation_through_the_proxy_is_answered_by_ollamas_own_chat_api(house):
    asked = ["ask", "How many lines?", "-m", "proxy/smollm2", "--in-process", "--json"]
    done = house.run("--config", "config.toml", *asked)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == "Three lines."
    (chat, *_) = house.ollama.chats
    assert chat.path == "/api/chat"
    assert chat.json["model"] == "smollm2:latest"
    assert chat.json["options"]["num_ctx"] == NUM_CTX
    assert not house.ollama.asked("/api/generate")


def test_a_delegation_through_the_proxy_is_answered_by_the_llama_cpp_server(house):
    asked = ["ask", "Say hello.", "-m", f"proxy/{house.llama_model}", "--in-process", "--json"]
    done = house.run("--config", "config.toml", *asked)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"]


def test_the_proxy_is_found_well_with_answers_and_the_gateway_with_our_tools(house):
    done = house.run("--config", "config.toml", "litellm", "check", house.url, "--ask", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, told
    by_subject = {one["where"] or one["code"]: one for one in told["findings"]}
    assert {one["severity"] for one in told["findings"]} == {"ok"}, told
    assert by_subject["alive"]["what"] == "/health/liveliness answers"
    assert by_subject["key"]["what"] == "accepted; 2 models listed"
    assert by_subject["mcp"]["what"] == "the gateway serves Spadework: 4 tools"
    assert by_subject["smollm2"]["what"] == "answers"
    assert KEY not in done.stdout + done.stderr


def test_without_asking_no_model_is_called(house):
    chats = len(house.ollama.chats)
    done = house.run("--config", "config.toml", "litellm", "check", house.url)
    assert done.returncode == 0
    assert f"ok\tmodel\tsmollm2\twindow {NUM_CTX}\t\n" in done.stdout
    assert len(house.ollama.chats) == chats


@pytest.mark.parametrize("key", ["sk-wrong-0123456789", ""])
def test_a_key_that_is_not_accepted_is_broken(house, key):
    done = house.run("litellm", "check", house.url, LITELLM_MASTER_KEY=key)
    assert done.returncode == 1
    assert "error\tkey\t\t" in done.stdout
    assert "LITELLM_API_KEY" in done.stdout or "LITELLM_MASTER_KEY" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_file_itself_is_found_well_and_merging_the_same_servers_changes_nothing(house):
    before = house.config.read_bytes()
    assert house.run("litellm", "check", str(house.config)).returncode == 0
    done = house.run(
        "litellm", "config", "--host", house.ollama.url, "--merge", str(house.config), "--yes"
    )
    assert done.returncode == 0, done.stderr
    assert house.config.read_bytes() == before
    assert done.stdout == ""


def test_what_does_not_work_at_a_proxy_is_named_with_its_cure(litellm_proxy, tmp_path):
    asked = ["litellm", "check", litellm_proxy.url, "--ask", "--json"]
    done = run(tmp_path, *asked, LITELLM_MASTER_KEY=litellm_proxy.key)
    found = json.loads(done.stdout)["findings"]
    levels = {(one["where"] or one["code"], one["severity"]) for one in found}
    assert done.returncode == 1
    assert {("llama3-local", "ok"), ("down", "error"), ("old-route", "error")} <= levels
    assert {("old-route", "warning"), ("down", "warning"), ("mcp", "ok")} <= levels
    cures = {one["cure"] for one in found if one["where"] == "old-route"}
    assert "write ollama_chat/ in place of ollama/" in cures


def test_warnings_alone_are_no_failure(litellm_proxy, tmp_path):
    done = run(tmp_path, "litellm", "check", litellm_proxy.url, LITELLM_API_KEY=litellm_proxy.key)
    assert done.returncode == 0, done.stdout
    assert (
        "warning\troute\told-route\tthe ollama/ route reports an answer that was cut off"
        in done.stdout
    )
    assert "warning\twindow\tdown\tits window is not known" in done.stdout
    assert "0 errors, " in done.stderr


def test_a_gateway_without_the_token_is_broken(tmp_path):
    """As with every auth_type of LiteLLM's: our server on loopback would not even ask for it."""
    with serving(tmp_path) as mcp_url:
        config = tmp_path / "made.yaml"
        config.write_text("model_list: []\n")
        made = ["litellm", "config", "--merge", "made.yaml", "--mcp-url", mcp_url, "--yes"]
        done = run(tmp_path, *made, "--host", "127.0.0.1:9")
        assert done.returncode == 0, done.stderr
        with litellm_running(config.read_text(), tmp_path, {"LITELLM_MASTER_KEY": KEY}) as url:
            told = run(tmp_path, "litellm", "check", url)
    assert told.returncode == 1
    assert "error\tmcp\t\tthe gateway knows the server 'spadework', but lists none" in told.stdout
    assert "set SPADEWORK_TOKEN for the proxy" in told.stdout
