"""The windows of servers that were just found, asked for without loading or telling anything."""

from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from journeyman.backends.windows import with_windows
from journeyman.config.discovery import Found
from journeyman.config.proposals import Server


def server(double, kind="openai", models=("llama3-local",), **more):
    return Server("koala", Found(kind, double.url, models, **more))


async def test_a_server_that_tells_its_windows_is_believed():
    with OpenAIDouble("llama3-local", window=2048) as double:
        [found] = await with_windows([server(double)], {})
    assert found.windows == {"llama3-local": 2048}
    assert double.chats == []


async def test_a_server_that_tells_none_stays_as_it_was(openai_double):
    [found] = await with_windows([server(openai_double)], {})
    assert found.windows == {}


async def test_ollama_is_asked_without_loading_a_model():
    with OllamaDouble() as double:
        [found] = await with_windows([server(double, "ollama", tuple(double.names))], {})
        assert found.found.models == tuple(double.names)
        assert double.chats == []


async def test_one_that_wants_a_key_is_not_asked_without():
    with OpenAIDouble("llama3-local", window=2048, key="sk-hunter2") as double:
        [without] = await with_windows([server(double, needs_key=True)], {})
        assert without.windows == {}
        assert double.asked("/v1/models") == []
        [found] = await with_windows([server(double, needs_key=True)], {"koala": "sk-hunter2"})
    assert found.windows == {"llama3-local": 2048}


async def test_a_server_that_is_gone_by_then_tells_nothing():
    with OpenAIDouble() as double:
        gone = server(double)
    [found] = await with_windows([gone], {})
    assert found.windows == {}
