"""Ollama loads a model anew for each other window: no load is ours, and what fits is what is."""

import asyncio

import pytest
from engine_rows import LLAMA, rows

from doubles.ollama import OllamaDouble, ask_as_a_bare_client
from doubles.openai_compatible import OpenAIDouble
from spadework.engine.job import Answer, HandBack


@pytest.fixture
def ollama():
    with OllamaDouble("llama3-local", trained=32_768) as server:
        server.plays(reply="Words.", prompt_tokens=90)
        yield server


async def test_no_model_is_loaded_anew_for_us_among_other_clients(build, job, session, ollama):
    engine = build(koala=ollama.url, kinds={"koala": "ollama"}, models=[LLAMA])
    other = build(koala=ollama.url, kinds={"koala": "ollama"}, models=[LLAMA])
    for window in (None, 16_384, 2_048, None, 8_192):
        await asyncio.to_thread(ask_as_a_bare_client, ollama, "llama3-local", window)
        for one in (engine, other, engine):
            answer = await one.delegate(job("Hi there"), session)
            assert isinstance(answer, Answer), answer
            listed = {info.id: info for info in (await one.survey({})).models}
            assert listed[f"{LLAMA}:latest"].window == (window or 4096)
    assert [load for load in ollama.loads if not load.is_of_a_bare_client] == []
    assert len(ollama.reloads) == 4  # one for each change of the other clients' minds


async def test_a_prompt_is_fitted_into_the_window_as_it_is_now(build, job, session, ollama):
    engine = build(
        koala=ollama.url, kinds={"koala": "ollama"}, models=[LLAMA], tool={"max_parts": 0}
    )
    assert isinstance(await engine.delegate(job("Hi"), session), Answer)
    ollama.load("llama3-local", 1024)
    outcome = await engine.delegate(job("barn " * 1500), session)
    assert isinstance(outcome, HandBack)
    assert "the window is 1024, by context_length of the loaded model" in outcome.reason
    assert len(ollama.chats) == 1
    ollama.load("llama3-local", 16_384)
    ollama.plays(reply="Words.", prompt_tokens=1510)
    assert isinstance(await engine.delegate(job("barn " * 1500), session), Answer)


async def test_a_reply_that_outgrew_its_window_ends_at_a_larger_model(build, job, session, ollama):
    ollama.plays(reply="Half of it was forgotten.", prompt_tokens=7000, completion_tokens=1300)
    with OpenAIDouble("llama3-local", window=100_000) as large:
        large.plays(reply="All of it.", prompt_tokens=90)
        engine = build(
            koala=ollama.url,
            large=large.url,
            kinds={"koala": "ollama"},
            models=[LLAMA, "large/llama3-local"],
        )
        answer = await engine.delegate(job("Hi"), session)
    assert (answer.text, answer.tries[0].code) == ("All of it.", "context-exceeded")
    assert "7000 tokens and the 1300 of the reply" in answer.tries[0].message


async def test_a_reply_that_outgrew_its_window_is_never_an_answer(
    build, job, session, ollama, tmp_path
):
    ollama.plays(reply="Half of it was forgotten.", prompt_tokens=7000, completion_tokens=1300)
    engine = build(koala=ollama.url, kinds={"koala": "ollama"}, models=[LLAMA])
    outcome = await engine.delegate(job("Hi"), session)
    assert isinstance(outcome, HandBack)
    assert "Ollama forgot the prompt's beginning" in outcome.reason
    (row,) = rows(tmp_path)
    assert row.outcome == "handed-back"
