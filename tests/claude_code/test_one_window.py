"""Daemon, `doctor --probe`, `models` and `ask` in a process of its own: one window for a model."""

import json

import pytest
from client_homes import SERVER, ClientHome

from doubles.ollama import OllamaDouble, ask_as_a_bare_client

pytestmark = pytest.mark.slow

CONFIG = """
[backends.koala]
kind = "ollama"
url = "{url}"

[tools.ask_local_llama]
models = ["koala/smollm2"]
use_for = "bulk summarization"

[tools.ask_coding_model]
models = ["koala/smollm2"]
use_for = "boilerplate"
"""
MODEL = "koala/smollm2"


@pytest.fixture
def ollama():
    with OllamaDouble("smollm2", trained=32_768) as double:
        double.plays(finds=r"(?<=secret word is )\w+")
        yield double


@pytest.fixture
def house(tmp_path, runtime_folder, ollama):
    house = ClientHome(tmp_path, runtime_folder)
    house.register(spadework=SERVER | {"command": "/bin/false"})
    house.config.write_text(CONFIG.format(url=ollama.url))
    assert house.run("daemon", "start")[0] == 0
    return house


def windows(house, ollama):
    """The window by the word of everybody, and by what they ask Ollama for."""
    told = {}
    for way in ((), ("--in-process",)):
        code, out, err = house.run("models", "--json", *way)
        assert code == 0, err
        told["models", *way] = [
            one["window"]
            for one in json.loads(out)["models"]
            if one["id"] == "koala/smollm2:latest"
        ]
    chats = len(ollama.chats)
    for way in ((), ("--in-process",)):
        code, _, err = house.run("ask", "What is the secret word?", *way)
        assert code == 0, err
    _, found = house.told("doctor", "--probe")
    (window,) = found[f"window {MODEL}"]
    told["doctor"] = window["what"].split()[1]
    asked = {chat.json["options"]["num_ctx"] for chat in ollama.chats[chats:]}
    assert len(ollama.chats) - chats >= 4
    return {
        int(one) for ones in told.values() for one in (ones if isinstance(ones, list) else [ones])
    } | asked


def test_all_agree_whoever_loads_the_model_meanwhile(house, ollama):
    assert windows(house, ollama) == {8192}
    assert [load.window for load in ollama.loads] == [8192]  # the one load that was needed
    ask_as_a_bare_client(ollama, "smollm2")
    assert windows(house, ollama) == {4096}
    ask_as_a_bare_client(ollama, "smollm2", 2048)
    assert windows(house, ollama) == {2048}
    ollama.unload("smollm2")
    assert windows(house, ollama) == {8192}
    assert all(load.is_of_a_bare_client for load in ollama.reloads)
    assert len(ollama.reloads) == 2
