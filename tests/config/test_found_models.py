"""Windows and trust of servers that were just found, asked for without loading anything."""

from dataclasses import replace

from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from spadework.discovery.model_ranking import RankedServer, with_facts
from spadework.discovery.search import FoundServer


def server(double, kind="openai", models=("llama3-local",), **more):
    return RankedServer("koala", FoundServer(kind, double.url, models, **more))


def windows(found):
    return {name: fact.window for name, fact in found.facts.items() if fact.window}


async def test_a_server_that_tells_its_windows_is_believed():
    with OpenAIDouble("llama3-local", window=2048) as double:
        [found] = await with_facts([server(double)], {})
    assert windows(found) == {"llama3-local": 2048}
    assert double.chats == []


async def test_a_server_that_tells_no_windows_has_none(openai_double):
    [found] = await with_facts([server(openai_double)], {})
    assert windows(found) == {}
    assert {fact.trust for fact in found.facts.values()} == {"local"}


async def test_ollama_is_asked_without_loading_a_model():
    with OllamaDouble() as double:
        [found] = await with_facts([server(double, "ollama", tuple(double.names))], {})
        assert found.found.models == tuple(double.names)
        assert {fact.trust for fact in found.facts.values()} == {"local"}
        assert double.chats == []


async def test_one_that_wants_a_key_is_not_asked_without():
    with OpenAIDouble("llama3-local", window=2048, key="sk-hunter2") as double:
        [without] = await with_facts([server(double, needs_key=True)], {})
        assert without.facts == {}
        assert double.asked("/v1/models") == []
        [found] = await with_facts([server(double, needs_key=True)], {"koala": "sk-hunter2"})
    assert windows(found) == {"llama3-local": 2048}


async def test_a_server_that_is_gone_by_then_tells_nothing():
    with OpenAIDouble() as double:
        gone = server(double)
    [found] = await with_facts([gone], {})
    assert found == replace(gone, facts={})
