"""A model of several names is one model, whichever of them a tool or a call uses."""

import pytest

from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from spadework.engine.job import Answer


@pytest.fixture
def swap():
    with LlamaSwapDouble("llama3-local", "codellama-local", form="2026-08") as server:
        server.aliases = {"gpt-4o-mini": "llama3-local"}
        server.plays(prompt_tokens=90)
        yield server


@pytest.fixture
def ollama():
    with OllamaDouble("smollm2") as server:
        server.plays(prompt_tokens=90)
        yield server


async def used_by(engine, project):
    found = await engine.survey(engine.tools(project))
    return {info.id: found.tools_of(info) for info in found.models if info.backend == "koala"}


async def test_a_pattern_means_a_model_by_its_alias_too(build, job, session, swap, project):
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"}, models=["koala/gpt-*"])
    assert "ask_local_llama" in (await used_by(engine, project))["koala/llama3-local"]
    answer = await engine.delegate(job("Hi"), session)
    assert isinstance(answer, Answer)
    assert swap.chats[0].json["model"] == "llama3-local"


async def test_a_model_named_twice_is_asked_once(build, job, session, swap):
    swap.plays(reply="", prompt_tokens=90)
    names = ["koala/gpt-4o-mini", "koala/*"]
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"}, models=names)
    await engine.survey({})
    outcome = await engine.delegate(job("Hi"), session)
    assert [one.model for one in outcome.tries] == ["koala/gpt-4o-mini", "koala/codellama-local"]


async def test_a_selector_is_asked_by_its_name_and_never_by_a_star(build, job, session, swap):
    told = {"type": "selector", "targets": ["llama3-local"]}
    swap.entries.insert(0, {"id": "warm", "meta": {"llamaswap": told}})
    swap.names.append("warm")
    for models, asked in ((["koala/*"], "llama3-local"), (["koala/warm"], "warm"), ([], None)):
        engine = build(koala=swap.url, kinds={"koala": "llama-swap"}, models=models)
        assert isinstance(await engine.delegate(job("Hi"), session), Answer)
        assert swap.chats[-1].json["model"] == (asked or "llama3-local")


@pytest.mark.parametrize("named", ["koala/smollm2", "koala/smollm2:latest", "koala/smol*2"])
async def test_latest_goes_without_saying_in_a_tools_list(
    build, job, session, ollama, project, named
):
    engine = build(koala=ollama.url, kinds={"koala": "ollama"}, models=[named])
    tools = (await used_by(engine, project))["koala/smollm2:latest"]
    assert "ask_local_llama" in tools
    # By its other name it is the tool's own model as well, whatever its trust.
    answer = await engine.delegate(job("Hi", models=("koala/smollm2:latest",)), session)
    assert isinstance(answer, Answer)


async def test_a_cloud_model_that_a_tool_lists_may_be_asked_by_its_other_name(
    build, job, session, ollama
):
    engine = build(
        koala=ollama.url,
        kinds={"koala": "ollama"},
        models=["koala/smollm2"],
        trusts={"koala": "cloud"},
    )
    answer = await engine.delegate(job("Hi", models=("koala/smollm2:latest",)), session)
    assert isinstance(answer, Answer), answer
